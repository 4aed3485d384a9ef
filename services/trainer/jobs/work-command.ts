import { once } from 'node:events';
import { childEnvironment } from '../../../shared/environment';
import { createStartRun } from '../../../shared/jobs/child-run';
import { startBullWorker } from '../../../shared/jobs/start-bull-worker';
import { AppError } from '../../../shared/errors/app-error';
import type { Logger } from '../../../shared/observability/logger';
import type { TrainerConfig } from '../options/config';
import { parseIdleMs } from '../options/command-line';

/**
 * A child stops between two batches, then its end is told to Redis; when that is gone too, another
 * worker finds out by itself.
 */
const closeMs = 30_000;

export interface WorkContext {
  readonly config: TrainerConfig;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * `npm run trainer`: works on jobs from Redis until a signal or, where it is told so, until none came
 * for so long.
 * @throws AppError invalid-configuration without REDIS_URL; unreachable where Redis could not be asked
 *   when the time was over
 */
export async function workCommand(
  mainFile: string,
  args: readonly string[],
  { config, logger, signal }: WorkContext,
): Promise<void> {
  const idleMs = parseIdleMs(args);
  if (config.redisUrl === undefined) {
    const message =
      'Trainers take their jobs from Redis: set REDIS_URL, here and for the classifier. Without it the classifier trains by itself.';
    throw new AppError('invalid-configuration', message);
  }
  const startRun = createStartRun(mainFile, childEnvironment());
  const { redisUrl, lockTimes: times, runsFolder, modelsFolder, runsKeepMs: keepMs } = config;
  const leftovers = { runsFolder, modelsFolder, keepMs };
  const worker = startBullWorker({ redisUrl, startRun, logger, times, retention: leftovers });
  logger.info('waiting for jobs');
  const ends = [
    ...(signal.aborted ? [] : [once(signal, 'abort')]),
    ...(idleMs === undefined ? [] : [worker.untilIdle(idleMs)]),
  ];
  try {
    await Promise.race(ends);
    logger.info(signal.aborted ? 'stopping: keeping what was computed' : 'no job came any more');
  } finally {
    const tooLate = setTimeout(() => process.exit(1), closeMs);
    await worker.close();
    clearTimeout(tooLate);
  }
}
