import type { Logger } from '../observability/logger';
import { createJobQueue } from './create-job-queue';
import type { JobQueue } from './job-queue';
import { assertRedisUrl, connectFailFast, connectWithRetries, runCommands } from './redis-connection';
import { openRedisStore } from './redis-store';
import { reconcileJobs } from './reconcile-jobs';
import { watchRedis } from './watch-redis';
import { warnOfUnreadable } from './warn-of-unreadable';
import { addWork, lockTimes, openWorkQueue } from './work-queue';

/** Interval of the reconciliation. */
const reconcileIntervalMs = 30_000;

/**
 * Opens the queue whose jobs are in Redis; trainers (`npm run trainer`) on any machine run them. It
 * opens without Redis: methods then fail with `unreachable` until Redis can be reached.
 * @throws AppError invalid-configuration
 */
export function createBullQueue(redisUrl: string, { logger }: { readonly logger: Logger }): JobQueue {
  assertRedisUrl(redisUrl);
  const client = connectFailFast(redisUrl);
  const subscriber = connectWithRetries(redisUrl);
  const reach = <T>(commands: () => Promise<T>): Promise<T> => runCommands(client, commands);
  const store = warnOfUnreadable(openRedisStore({ client, subscriber, reach }), logger);
  const bull = openWorkQueue(() => client, lockTimes);
  bull.on('error', () => undefined); // the caller gets the error
  const wakeWorkers = (record: Parameters<typeof addWork>[1]): Promise<void> =>
    runCommands(client, () => addWork(bull, record));
  const watch = watchRedis(client, redisUrl, logger);
  const reconcile = (): void => {
    reconcileJobs(store, wakeWorkers).then(watch.succeeded, watch.failed);
  };
  reconcile();
  const reconcileTimer = setInterval(reconcile, reconcileIntervalMs).unref();
  return {
    ...createJobQueue(store, wakeWorkers),
    warnings: watch.warnings,
    close() {
      clearInterval(reconcileTimer);
      // Closes Bull's timers. The connections are ours; Bull may never have had one.
      bull.close().catch(() => undefined);
      client.disconnect();
      subscriber.disconnect();
      return Promise.resolve();
    },
  };
}
