import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job } from '../../shared/contracts/job';
import { jobRequestSchema, type JobRequest } from '../../shared/contracts/job-kinds';
import { createStartRun, type StartRun } from '../../shared/jobs/child-run';
import type { JobQueue } from '../../shared/jobs/job-queue';
import { isEnded } from '../../shared/jobs/job-record';
import { createLogger } from '../../shared/observability/logger';
import { writeToneDataset } from './tone-dataset';

export const trainerMain = join(__dirname, '../../services/trainer/main.js');
export const quiet = createLogger('silent');

/** A folder with a tiny dataset, and what the trainer's processes are told of it. */
export interface JobFixture {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly startRun: StartRun;
  remove(): Promise<void>;
}

export async function createJobFixture(): Promise<JobFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-jobs-'));
  await writeToneDataset(join(folder, 'data'));
  const env = {
    ...process.env,
    ENGINE: 'cpu',
    ENGINE_THREADS: '1',
    DATA_DIR: join(folder, 'data'),
    RUNS_DIR: join(folder, 'runs'),
    MODELS_DIR: join(folder, 'models'),
    DATASETS_DIR: join(folder, 'datasets'),
  };
  return {
    folder,
    env,
    startRun: createStartRun(trainerMain, env),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A run of a second or two. */
export function tinyRequest(hyperparameters: object = {}, more: object = {}): JobRequest {
  return jobRequestSchema.parse({
    kind: 'train',
    architecture: 'transformer',
    hyperparameters: { epochs: 3, batchSize: 4, heads: 1, hidden: 8, ...hyperparameters },
    ...more,
  });
}

/** Follows a job's events until it is as wanted (ended, when nothing is said). */
export async function jobUntil(
  queue: JobQueue,
  id: string,
  wanted: (job: Job) => boolean = isEnded,
  seconds = 45,
): Promise<Job> {
  const limit = AbortSignal.timeout(seconds * 1000);
  for await (const { job } of queue.events(id, { signal: limit })) {
    if (wanted(job)) return job;
    if (isEnded(job)) throw new Error(`The job ended otherwise: ${JSON.stringify(job)}`);
  }
  throw new Error(`The job did not come so far: ${JSON.stringify(await queue.get(id))}`);
}
