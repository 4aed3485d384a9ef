import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job, JobProgress } from '../../shared/contracts/job';
import { createJobFixture, tinyRequest, type JobFixture } from '../support/job-fixture';
import { describeWith } from '../support/needs';
import { runOnSmallDisk, smallDisk } from '../support/small-disk';

const request = tinyRequest({ epochs: 8 });
const required = (module: string): string => JSON.stringify(require.resolve(module));

let fixture: JobFixture;

beforeAll(async () => {
  fixture = await createJobFixture();
});

afterAll(async () => {
  await fixture.remove();
});

/**
 * Trains on a disk of its own that becomes full after two epochs; the job is resumed while it is full,
 * and with room again.
 */
function trainOnSmallDisk(disk: string): string {
  return `
    const { createStartRun } = require(${required('../../shared/jobs/child-run')});
    const { createEmbeddedQueue } = require(${required('../../shared/jobs/create-embedded-queue')});
    const { jobUntil, quiet, trainerMain } = require(${required('../support/job-fixture')});
    const { appendFileSync, readdirSync, rmSync } = require('node:fs');
    const disk = ${JSON.stringify(disk)};
    const ballast = disk + '/ballast';
    const startRun = createStartRun(trainerMain, { ...process.env, ...${JSON.stringify(fixture.env)}, RUNS_DIR: disk });
    const told = [];
    const fill = () => { try { for (;;) appendFileSync(ballast, Buffer.alloc(4096)); } catch {} };
    (async () => {
      const queue = await createEmbeddedQueue(${JSON.stringify(join(fixture.folder, 'small-queue'))}, {
        logger: quiet,
        startRun: (order, onProgress) => startRun(order, (progress) => {
          told.push(progress.epoch);
          if (progress.epoch === 2) fill();
          onProgress(progress);
        }),
      });
      const ended = (job) => job.state === 'finished' || job.state === 'failed';
      const { job } = await queue.submit(${JSON.stringify(request)});
      const full = await jobUntil(queue, job.id, ended);
      await queue.resume(job.id);
      const stillFull = await jobUntil(queue, job.id, ended);
      const left = readdirSync(disk, { recursive: true }).filter((name) => name.endsWith('.tmp'));
      rmSync(ballast);
      await queue.resume(job.id);
      const done = await jobUntil(queue, job.id, ended);
      await queue.close();
      console.log(JSON.stringify({ full, stillFull, done, told, left }));
    })();`;
}

describeWith(smallDisk)('a disk that is full when a checkpoint is written', () => {
  it('fails the job with what to do, and keeps its epochs: with room again it ends as if nothing had been', async () => {
    const disk = join(fixture.folder, 'disk');
    await mkdir(disk);
    const printed = await runOnSmallDisk(disk, 16_384, trainOnSmallDisk(disk));
    const { full, stillFull, done, told, left } = JSON.parse(printed) as Record<
      'full' | 'stillFull' | 'done',
      Job
    > & { readonly told: readonly JobProgress['epoch'][]; readonly left: readonly string[] };
    const error = { code: 'storage-full', message: expect.stringContaining('make room') };
    expect(full).toMatchObject({ state: 'failed', attempts: 1, progress: { epoch: 2 }, error });
    expect(stillFull).toMatchObject({ state: 'failed', attempts: 2, error });
    expect(left).toEqual([]);
    expect(done).toMatchObject({ state: 'finished', attempts: 3 });
    // None was lost, none trained twice.
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);

    const order = { job: { ...done, id: 'undisturbed', attempts: 1 }, children: [] };
    const undisturbed = await fixture.startRun(order, () => undefined).outcome;
    expect(undisturbed).toMatchObject({
      type: 'finished',
      result: { runs: [{ sha256: done.result!.runs[0]!.sha256 }] },
    });
  });
});
