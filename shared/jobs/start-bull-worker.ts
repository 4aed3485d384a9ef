import { setTimeout as delay } from 'node:timers/promises';
import type Redis from 'ioredis';
import type { Logger } from '../observability/logger';
import type { StartRun } from './child-run';
import { startInBackground } from '../runtime/processes/start-in-background';
import { executeJob } from './execute-job';
import type { WakeWorkers } from './job-store';
import { assertRedisUrl, connectWithRetries } from './redis-connection';
import { watchRedis } from './watch-redis';
import { openRedisStore } from './redis-store';
import type { RunRetention } from './sweep-runs';
import { createReconciler } from './reconcile-jobs';
import { warnOfUnreadable } from './warn-of-unreadable';
import { addWork, lockTimes, openWorkQueue, type LockTimes } from './work-queue';

export interface BullWorkerOptions {
  readonly redisUrl: string;
  readonly startRun: StartRun;
  readonly logger: Logger;
  readonly times?: LockTimes;
  readonly maxLosses?: number;
  readonly retention?: RunRetention;
}

/** Time for Bull to disconnect while Redis cannot be reached. */
const disconnectTimeoutMs = 500;
const never = new Promise<never>(() => undefined);

export interface Worker {
  /**
   * Resolves when the worker has been idle for `idleMs`.
   * @throws AppError unreachable, because it is not known whether jobs wait
   */
  untilIdle(idleMs: number): Promise<void>;
  /** Stops between two batches; the job in progress goes back into the queue. */
  close(): Promise<void>;
}

/**
 * Takes jobs from Redis, one at a time, and runs them in child processes.
 *
 * Redis may be unreachable for a while: commands wait, the child continues, and its result is reported
 * later. Another worker may take a job whose lock expired meanwhile; the number of its attempt then
 * keeps this worker from changing the job.
 * @throws AppError invalid-configuration
 */
export function startBullWorker(options: BullWorkerOptions): Worker {
  const { redisUrl, startRun, logger, times = lockTimes, maxLosses = 10 } = options;
  assertRedisUrl(redisUrl);
  const connections: Redis[] = [];
  const connect = (): Redis => {
    const connection = connectWithRetries(redisUrl);
    connections.push(connection);
    return connection;
  };
  const client = connect();
  const inRedis = openRedisStore({ client, subscriber: connect(), reach: (commands) => commands() });
  const store = warnOfUnreadable(inRedis, logger);
  const bull = openWorkQueue((type) => (type === 'client' ? client : connect()), times);
  // Connection errors are logged by the watch.
  bull.on('error', () => undefined);
  const watch = watchRedis(client, redisUrl, logger);
  const wakeWorkers: WakeWorkers = (record) => addWork(bull, record);
  const stop = new AbortController();
  let working: Promise<void> | undefined;
  let idleSinceMs = performance.now();
  const context = { store, wakeWorkers, startRun, logger, signal: stop.signal, maxLosses };
  const take = (): Promise<void> =>
    bull.process(1, async ({ data }) => {
      working = executeJob(data.id, data.turn, context).finally(() => {
        working = undefined;
        idleSinceMs = performance.now();
      });
      await working;
    });
  // Bull stops for good when its first command fails, so it starts only after another command has
  // succeeded.
  let taking: Promise<void> | undefined;
  const begin = (): void => {
    watch.succeeded();
    if (stop.signal.aborted) return;
    taking ??= startInBackground(take());
    taking.catch((error: unknown) => {
      if (!stop.signal.aborted) watch.failed(error);
    });
  };
  const reconciler = createReconciler(store, wakeWorkers, options.retention);
  const reconcile = (): void => {
    reconciler.reconcile().then(begin, (error: unknown) => {
      if (!stop.signal.aborted) watch.failed(error);
    });
  };
  reconcile();
  const timer = setInterval(reconcile, times.stalledIntervalMs);
  return {
    async untilIdle(idleMs) {
      for (let restMs = idleMs; working !== undefined || restMs > 0;) {
        // An error of the job was reported already.
        await (working?.catch(() => undefined) ?? delay(restMs, undefined, { ref: false }));
        restMs = idleSinceMs + idleMs - performance.now();
      }
      watch.assertReached();
    },
    async close() {
      stop.abort();
      clearInterval(timer);
      await working;
      // Without Redis, Bull would wait for the answer to its last command.
      await Promise.race([
        bull.close().catch(() => undefined),
        watch.isReached() ? never : delay(disconnectTimeoutMs),
      ]);
      for (const connection of connections) connection.disconnect();
    },
  };
}
