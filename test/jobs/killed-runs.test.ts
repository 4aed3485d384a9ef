import { createJobQueue } from '../../shared/jobs/create-job-queue';
import type { Run, StartRun } from '../../shared/jobs/child-run';
import { executeJob } from '../../shared/jobs/execute-job';
import { openFileStore } from '../../shared/jobs/file-store';
import type { WakeWorkers } from '../../shared/jobs/job-store';
import { createUniform } from '../../shared/runtime/random';
import { createJobFixture, quiet, tinyRequest, type JobFixture } from '../support/job-fixture';

// More than the kills let it get through, also where timers come late.
const request = tinyRequest({ epochs: 50 });
const kills = 20;

let fixture: JobFixture;

beforeAll(async () => {
  fixture = await createJobFixture();
});

afterAll(async () => {
  await fixture.remove();
});

/**
 * What becomes of a job of `request` whose store is on disk and whose only worker starts its processes
 * so.
 */
async function workOn(name: string, startRun: StartRun) {
  const store = await openFileStore(`${fixture.folder}/${name}`);
  const wakeWorkers: WakeWorkers = () => Promise.resolve();
  const queue = createJobQueue(store, wakeWorkers);
  const { job } = await queue.submit(request);
  const { signal } = new AbortController();
  await executeJob(job.id, 0, { store, wakeWorkers, startRun, logger: quiet, signal, maxLosses: kills });
  return queue.get(job.id);
}

it('loses nothing when the process of a run is killed at 20 random points', async () => {
  // How long a process takes to its first epoch's end, on this machine now.
  let startMs = 0;
  const undisturbed = await workOn('undisturbed', (order, onProgress) => {
    const startedAt = performance.now();
    return fixture.startRun(order, (progress) => {
      if (startMs === 0) startMs = performance.now() - startedAt;
      onProgress(progress);
    });
  });

  const random = createUniform(7);
  const firstEpochs: number[] = [];
  let begun = 0;
  const survived = await workOn('killed', (order, onProgress) => {
    const attempt = begun++;
    let toldEpochs = 0;
    const killAfter = (milliseconds: number): void => {
      const timer = setTimeout(() => process.kill(run.pid!, 'SIGKILL'), milliseconds);
      // Its number may be another's once it has ended.
      void run.outcome.then(() => {
        clearTimeout(timer);
      });
    };
    const run: Run = fixture.startRun(order, (progress) => {
      onProgress(progress);
      if (toldEpochs++ > 0) return;
      firstEpochs.push(progress.epoch);
      // Every other time somewhere in the next epoch, or in what is written after it.
      if (attempt < kills && attempt % 2 === 1) killAfter(random() * 1150 * progress.latest!.seconds);
    });
    // The others while it starts, reads the state, or computes its first epoch.
    if (attempt < kills && attempt % 2 === 0) killAfter(random() * startMs);
    return run;
  });

  expect(survived).toMatchObject({ state: 'finished', attempts: kills + 1 });
  expect(survived.result!.runs[0]!.sha256).toBe(undisturbed.result!.runs[0]!.sha256);
  // No attempt began anew.
  expect(firstEpochs).toEqual([...new Set(firstEpochs)].sort((a, b) => a - b));
}, 120_000);
