import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBullQueue } from '../../shared/jobs/create-bull-queue';
import { createEmbeddedQueue } from '../../shared/jobs/create-embedded-queue';
import type { JobQueue } from '../../shared/jobs/job-queue';
import { startBullWorker } from '../../shared/jobs/start-bull-worker';
import { createJobFixture, jobUntil, quiet, tinyRequest, type JobFixture } from '../support/job-fixture';
import { describeWith } from '../support/needs';
import { RedisProcess, redisServer } from '../support/redis-process';

interface OpenQueue {
  readonly queue: JobQueue;
  close(): Promise<void>;
}

let fixture: JobFixture;
let redis: RedisProcess | undefined;

beforeAll(async () => {
  fixture = await createJobFixture();
  if (redisServer.isMet()) redis = await RedisProcess.start();
});

afterAll(async () => {
  await redis?.remove();
  await fixture.remove();
});

async function openEmbedded(): Promise<OpenQueue> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-queue-'));
  const queue = await createEmbeddedQueue(folder, { startRun: fixture.startRun, logger: quiet });
  return {
    queue,
    close: async () => {
      await queue.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function openBull(): Promise<OpenQueue> {
  const { url } = redis!;
  const queue = createBullQueue(url, { logger: quiet });
  const worker = startBullWorker({ redisUrl: url, startRun: fixture.startRun, logger: quiet });
  return Promise.resolve({
    queue,
    close: async () => {
      await worker.close();
      await queue.close();
    },
  });
}

describe('the embedded queue', () => {
  testQueue(openEmbedded);
});
describeWith(redisServer)('the queue on Bull and Redis', () => {
  testQueue(openBull);
});

function testQueue(open: () => Promise<OpenQueue>): void {
  let opened: OpenQueue;
  let queue: JobQueue;

  beforeAll(async () => {
    opened = await open();
    queue = opened.queue;
  });

  afterAll(async () => {
    await opened.close();
  });

  it('trains what is asked for, tells each epoch, and publishes a version; the same job again gives the same weights', async () => {
    const { job, created } = await queue.submit(tinyRequest());
    expect(created).toBe(true);
    expect(job).toMatchObject({ state: 'queued', attempts: 0 });
    const epochs: number[] = [];
    const ids: number[] = [];
    for await (const event of queue.events(job.id, { signal: AbortSignal.timeout(45_000) })) {
      ids.push(event.id);
      if (event.job.progress !== undefined) epochs.push(event.job.progress.epoch);
    }
    expect(epochs).toEqual(expect.arrayContaining([1, 2, 3]));
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    const first = await queue.get(job.id);
    expect(first).toMatchObject({ state: 'finished', attempts: 1, progress: { epoch: 3, epochs: 3 } });
    expect(await readdir(join(fixture.folder, 'models'))).toEqual(
      expect.arrayContaining(first.result!.versions),
    );
    const again = await queue.submit(tinyRequest());
    expect(again.job.id).not.toBe(job.id);
    const second = await jobUntil(queue, again.job.id);
    expect(second.result?.runs[0]?.sha256).toBe(first.result!.runs[0]!.sha256);
    const other = await queue.submit(tinyRequest({}, { seed: 2 }));
    expect((await jobUntil(queue, other.job.id)).result?.runs[0]?.sha256).not.toBe(
      first.result!.runs[0]!.sha256,
    );
  });

  it('takes the same key with the same request for the same job, and refuses it with another', async () => {
    const key = 'a key "sequence":0';
    const [first, second] = await Promise.all([
      queue.submit(tinyRequest({ epochs: 1 }), key),
      queue.submit(tinyRequest({ epochs: 1 }), key),
    ]);
    expect(first.job.id).toBe(second.job.id);
    expect([first.created, second.created].sort()).toEqual([false, true]);
    await expect(queue.submit(tinyRequest({ epochs: 2 }), key)).rejects.toMatchObject({ code: 'conflict' });
    await jobUntil(queue, first.job.id);
  });

  it('stops a cancelled job, keeps its epochs, and goes on from them when resumed', async () => {
    const { job } = await queue.submit(tinyRequest({ epochs: 400 }));
    const running = await jobUntil(queue, job.id, ({ progress }) => (progress?.epoch ?? 0) >= 2);
    const cancelled = await queue.cancel(job.id);
    expect(cancelled.state).toBe('cancelled');
    await expect(queue.cancel(job.id)).rejects.toMatchObject({ code: 'conflict' });
    expect((await queue.resume(job.id)).state).toBe('queued');
    const resumed = await jobUntil(
      queue,
      job.id,
      ({ progress, attempts }) => attempts === 2 && progress!.epoch > running.progress!.epoch,
    );
    // Had it begun anew, the first epoch told by the second attempt would be the first.
    expect(resumed.progress!.epoch).toBeGreaterThan(running.progress!.epoch);
    await queue.cancel(job.id);
  });

  it('says what a run failed of', async () => {
    const { job } = await queue.submit(tinyRequest({}, { protocol: { testFold: 9 } }));
    expect(await jobUntil(queue, job.id)).toMatchObject({
      state: 'failed',
      error: { code: 'invalid-configuration', message: expect.stringContaining('test fold 9') },
    });
  });

  it('makes a cross-validated grid of runs, and publishes from the last step what validated best', async () => {
    const request = tinyRequest({ epochs: 2, learningRate: [0.001, 0.01] });
    const { job } = await queue.submit(request);
    const done = await jobUntil(queue, job.id);
    expect(done).toMatchObject({ state: 'finished', children: [`${job.id}-1`, `${job.id}-2`] });
    const children = await Promise.all(done.children!.map((id) => queue.get(id)));
    expect(children.map(({ request }) => request)).toMatchObject(
      [0.001, 0.01].map((learningRate) => ({ hyperparameters: { learningRate } })),
    );
    const accuracies = children.map(({ result }) => result!.runs[0]!.validationAccuracy);
    const best = accuracies.indexOf(Math.max(...accuracies));
    expect(done.result!.versions).toHaveLength(1);
    expect(done.result!.runs.at(-1)!.sha256).toBe(children[best]!.result!.runs[0]!.sha256);
  });

  it('cancels a parent with its runs, resumes it with those that had not finished', async () => {
    const request = tinyRequest({ epochs: [1, 300] });
    const { job } = await queue.submit(request);
    await jobUntil(queue, job.id, ({ children }) => children !== undefined);
    await jobUntil(queue, `${job.id}-1`);
    await jobUntil(queue, `${job.id}-2`, ({ state }) => state === 'running');
    await queue.cancel(job.id);
    expect((await queue.get(`${job.id}-2`)).state).toBe('cancelled');
    await expect(queue.resume(`${job.id}-2`)).rejects.toMatchObject({ code: 'conflict' });
    await queue.resume(job.id);
    expect((await queue.get(`${job.id}-1`)).state).toBe('finished');
    await jobUntil(queue, `${job.id}-2`, ({ state, attempts }) => state === 'running' && attempts === 2);
    await queue.cancel(`${job.id}-2`);
    expect(await jobUntil(queue, job.id)).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining(`${job.id}-2 cancelled`) },
    });
  });

  it('lists the newest first, by state, and knows no other jobs', async () => {
    const { job } = await queue.submit(tinyRequest({ epochs: 1 }));
    expect((await queue.list({ limit: 1 }))[0]?.id).toBe(job.id);
    await jobUntil(queue, job.id);
    const finished = await queue.list({ state: 'finished' });
    expect(finished[0]?.id).toBe(job.id);
    expect(finished.every(({ state }) => state === 'finished')).toBe(true);
    await expect(queue.get('none')).rejects.toMatchObject({ code: 'not-found' });
  });
}
