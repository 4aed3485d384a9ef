import { once } from 'node:events';
import { createStartRun } from '../../../shared/jobs/child-run';
import { startBullWorker } from '../../../shared/jobs/start-bull-worker';
import { AppError } from '../../../shared/errors/app-error';
import { createLogger } from '../../../shared/observability/logger';
import type { TrainerConfig } from '../config';

/** A child stops between two batches, then its end is told to Redis; when that is gone too, another worker finds out by itself. */
const closeMs = 30_000;

/** `npm run trainer`: works on jobs from Redis until a signal. @throws AppError invalid-configuration without REDIS_URL */
export async function workCommand(
  mainFile: string,
  config: TrainerConfig,
  signal: AbortSignal,
): Promise<void> {
  if (config.redisUrl === undefined) {
    const message =
      'Trainers take their jobs from Redis: set REDIS_URL, here and for the classifier. Without it the classifier trains by itself.';
    throw new AppError('invalid-configuration', message);
  }
  const logger = createLogger(config.logLevel);
  const startRun = createStartRun(mainFile, process.env);
  const worker = startBullWorker({ redisUrl: config.redisUrl, startRun, logger, times: config.lockTimes });
  logger.info('waiting for jobs');
  if (!signal.aborted) await once(signal, 'abort');
  logger.info('stopping: keeping what was computed');
  const tooLate = setTimeout(() => process.exit(1), closeMs);
  await worker.close();
  clearTimeout(tooLate);
}
