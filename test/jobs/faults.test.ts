import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createBullQueue } from '../../shared/jobs/create-bull-queue';
import type { JobQueue } from '../../shared/jobs/job-queue';
import { identifyProcess } from '../../shared/runtime/processes/process-lock';
import {
  createJobFixture,
  jobUntil,
  quiet,
  tinyRequest,
  trainerMain,
  type JobFixture,
} from '../support/job-fixture';
import { describeWith } from '../support/needs';
import { RedisProcess, redisServer } from '../support/redis-process';

let fixture: JobFixture;
const trainers: ChildProcess[] = [];

beforeAll(async () => {
  fixture = await createJobFixture();
});

afterAll(async () => {
  for (const trainer of trainers) trainer.kill('SIGKILL');
  await fixture.remove();
});

describeWith(redisServer)('trainers on Redis', () => {
  let redis: RedisProcess;
  let queue: JobQueue;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    queue = createBullQueue(redis.url, { logger: quiet });
  });

  afterAll(async () => {
    await queue.close();
    await redis.remove();
  });

  function startTrainer(): ChildProcess {
    const env = { ...fixture.env, REDIS_URL: redis.url, JOB_LOCK_SECONDS: '4' };
    const trainer = spawn(process.execPath, [trainerMain, 'work'], { env, stdio: 'ignore' });
    trainers.push(trainer);
    return trainer;
  }

  it('hands a job whose trainer was killed to another one, which goes on from its last epoch', async () => {
    const { job } = await queue.submit(tinyRequest({ epochs: 2000 }));
    const first = startTrainer();
    const before = await jobUntil(queue, job.id, ({ progress }) => (progress?.epoch ?? 0) >= 3);
    first.kill('SIGKILL');
    await once(first, 'close');
    const second = startTrainer();
    const after = await jobUntil(
      queue,
      job.id,
      ({ attempts, progress }) => attempts === 2 && progress!.epoch > before.progress!.epoch,
    );
    expect(after.progress!.epoch).toBeGreaterThan(3);
    expect(await readdir(`${fixture.folder}/models/.jobs/${job.id}`)).toEqual(['2']);
    await queue.cancel(job.id);
    second.kill('SIGTERM');
    expect(await once(second, 'close')).toEqual([0, null]);
  });

  it('bears a Redis that is killed in mid-job: refuses meanwhile, loses nothing, runs nothing twice', async () => {
    const trainer = startTrainer();
    const { job } = await queue.submit(tinyRequest({ epochs: 30 }));
    await jobUntil(queue, job.id, ({ progress }) => (progress?.epoch ?? 0) >= 3);
    await redis.kill();
    await expect(queue.submit(tinyRequest())).rejects.toMatchObject({ code: 'unreachable' });
    await redis.restart();
    expect(await jobUntil(queue, job.id)).toMatchObject({ state: 'finished', attempts: 1 });
    const next = await queue.submit(tinyRequest({ epochs: 1 }));
    expect(await jobUntil(queue, next.job.id)).toMatchObject({ state: 'finished', attempts: 1 });
    trainer.kill('SIGTERM');
    expect(await once(trainer, 'close')).toEqual([0, null]);
  });
});

it('stops a child whose parent is gone', async () => {
  const script = `
    const { createStartRun } = require(${JSON.stringify(require.resolve('../../shared/jobs/child-run'))});
    const run = createStartRun(process.argv[1], process.env)(JSON.parse(process.argv[2]), () => console.log(run.pid));`;
  const order = {
    job: {
      id: 'orphan',
      request: tinyRequest({ epochs: 5000 }),
      state: 'running',
      createdAt: new Date().toISOString(),
      attempts: 1,
    },
    children: [],
  };
  const parent = spawn(process.execPath, ['-e', script, trainerMain, JSON.stringify(order)], {
    env: fixture.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  trainers.push(parent);
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString().trim().split('\n')[0]);
  parent.kill('SIGKILL');
  await once(parent, 'close');
  await expectGone(pid);
});

/** Asks until the process is gone: nothing tells of the end of another's child. */
async function expectGone(pid: number): Promise<void> {
  const limit = performance.now() + 20_000;
  while ((await identifyProcess(pid)) !== undefined && performance.now() < limit)
    await new Promise(setImmediate);
  expect(await identifyProcess(pid)).toBeUndefined();
}
