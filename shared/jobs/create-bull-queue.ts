import type { Logger } from '../observability/logger';
import { createJobQueue } from './create-job-queue';
import type { JobQueue } from './job-queue';
import { assertRedisUrl, connectImpatiently, connectPatiently, reaching } from './redis-connection';
import { openRedisStore } from './redis-store';
import { reconcileJobs } from './reconcile-jobs';
import { watchRedis } from './watch-redis';
import { warnOfUnreadable } from './warn-of-unreadable';
import { addWork, lockTimes, openWorkQueue } from './work-queue';

/** How often what was left behind is looked for. */
const tendMs = 30_000;

/**
 * Jobs in Redis, worked on by trainers (`npm run trainer`) on any machine. Opens without Redis: methods fail with `unreachable`
 * until it is there.
 * @throws AppError invalid-configuration
 */
export function createBullQueue(redisUrl: string, { logger }: { readonly logger: Logger }): JobQueue {
  assertRedisUrl(redisUrl);
  const client = connectImpatiently(redisUrl);
  const subscriber = connectPatiently(redisUrl);
  const reach = <T>(commands: () => Promise<T>): Promise<T> => reaching(client, commands);
  const store = warnOfUnreadable(openRedisStore({ client, subscriber, reach }), logger);
  const bull = openWorkQueue(() => client, lockTimes);
  bull.on('error', () => undefined); // whoever asks is told
  const wakeWorkers = (record: Parameters<typeof addWork>[1]): Promise<void> =>
    reaching(client, () => addWork(bull, record));
  const watch = watchRedis(client, redisUrl, logger);
  const tend = (): void => {
    reconcileJobs(store, wakeWorkers).then(watch.succeeded, watch.failed);
  };
  tend();
  const tending = setInterval(tend, tendMs).unref();
  return {
    ...createJobQueue(store, wakeWorkers),
    warnings: watch.warnings,
    close() {
      clearInterval(tending);
      // Its timers; the connections are ours, and it may never have had one.
      bull.close().catch(() => undefined);
      client.disconnect();
      subscriber.disconnect();
      return Promise.resolve();
    },
  };
}
