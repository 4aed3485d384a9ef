import { join } from 'node:path';
import { createBullQueue } from '../../shared/jobs/create-bull-queue';
import { createStartRun } from '../../shared/jobs/child-run';
import { createEmbeddedQueue } from '../../shared/jobs/create-embedded-queue';
import type { JobQueue } from '../../shared/jobs/job-queue';
import type { Logger } from '../../shared/observability/logger';
import type { Config } from './config';

/** Started, never imported: the trainer is another service. */
const trainerMain = join(__dirname, '../trainer/main.js');

/**
 * With REDIS_URL the queue that trainers work on; without, one on disk that this service's own child processes work on.
 * @throws AppError conflict when another process has JOBS_DIR, invalid-configuration
 */
export async function composeJobs(config: Config, logger: Logger): Promise<JobQueue> {
  if (config.redisUrl !== undefined) return createBullQueue(config.redisUrl, { logger });
  const env = { ...process.env, MODELS_DIR: config.modelsFolder, DATASETS_DIR: config.datasetsFolder };
  return createEmbeddedQueue(config.jobsFolder, { startRun: createStartRun(trainerMain, env), logger });
}
