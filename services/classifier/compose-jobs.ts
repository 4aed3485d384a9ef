import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment } from '../../shared/environment';
import { AppError } from '../../shared/errors/app-error';
import { isAbsent } from '../../shared/errors/machine-fault';
import { assertTrains } from '../../shared/jobs/assert-trains';
import { createBullQueue } from '../../shared/jobs/create-bull-queue';
import { createStartRun } from '../../shared/jobs/child-run';
import { createEmbeddedQueue } from '../../shared/jobs/create-embedded-queue';
import { openOnDemand } from '../../shared/jobs/open-on-demand';
import type { JobQueue } from '../../shared/jobs/job-queue';
import type { Logger } from '../../shared/observability/logger';
import type { Config } from './config';

/** Started, never imported: the trainer is another service. */
const trainerMain = join(__dirname, '../trainer/main.js');

/**
 * With REDIS_URL the queue that trainers work on; without, one on disk that this service's own child
 * processes work on. That one is opened at once where jobs may be waiting, else by the first job: a
 * service that has none keeps nothing in the folder, which may be an empty one that it cannot write to,
 * as in an image with no volume there. Where the packages that train are not installed that queue stays
 * closed: whoever asks it is told so, and jobs that wait in it wait on.
 */
export function composeJobs(config: Config, logger: Logger): JobQueue {
  if (config.redisUrl !== undefined) return createBullQueue(config.redisUrl, { logger });
  const { jobsFolder, modelsFolder, datasetsFolder, runsFolder, runsKeepMs } = config;
  const env = childEnvironment({
    MODELS_DIR: modelsFolder,
    DATASETS_DIR: datasetsFolder,
    RUNS_DIR: runsFolder,
  });
  const exists = (): boolean => holdsAnything(jobsFolder);
  const queue = openOnDemand(async () => {
    assertTrains();
    try {
      return await createEmbeddedQueue(jobsFolder, {
        startRun: createStartRun(trainerMain, env),
        retention: { runsFolder, modelsFolder, keepMs: runsKeepMs },
        logger,
      });
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      const message = 'JOBS_DIR cannot be written to: name a folder that can be, or a Redis (REDIS_URL).';
      throw new AppError('storage-full', message, { cause });
    }
  }, exists);
  if (exists()) {
    queue.open().catch((error: unknown) => {
      logger.warn({ err: error }, 'waiting jobs are not worked on');
    });
  }
  return queue;
}

/** One that cannot be read may hold something: who opens it says what is the matter. */
function holdsAnything(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch (caught) {
    return !isAbsent(caught);
  }
}
