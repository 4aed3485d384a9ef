import { setTimeout as delay } from 'node:timers/promises';
import type Redis from 'ioredis';
import type { Logger } from '../observability/logger';
import type { StartRun } from './child-run';
import { begun } from '../runtime/processes/background';
import { executeJob } from './execute-job';
import type { WakeWorkers } from './job-store';
import { assertRedisUrl, connectPatiently } from './redis-connection';
import { watchRedis } from './watch-redis';
import { openRedisStore } from './redis-store';
import type { Leftovers } from './sweep-runs';
import { createReconciler } from './reconcile-jobs';
import { warnOfUnreadable } from './warn-of-unreadable';
import { addWork, lockTimes, openWorkQueue, type LockTimes } from './work-queue';

export interface BullWorkerOptions {
  readonly redisUrl: string;
  readonly startRun: StartRun;
  readonly logger: Logger;
  readonly times?: LockTimes;
  readonly maxLosses?: number;
  readonly leftovers?: Leftovers;
}

/** What Bull gets for its goodbye while Redis cannot be reached. */
const goodbyeMs = 500;
const never = new Promise<never>(() => undefined);

export interface Worker {
  /** Resolves when nothing was worked on for so long. @throws AppError unreachable: nobody knows whether jobs wait */
  untilIdle(idleMs: number): Promise<void>;
  /** Stops between two batches; what was begun goes back into the queue. */
  close(): Promise<void>;
}

/**
 * Takes jobs from Redis, one at a time, and works on them in child processes.
 *
 * Redis may go and come back: commands wait for it, the child computes on, its end is reported when Redis is there. A job whose
 * lock ran out meanwhile may be taken by another worker; the number of its attempt then keeps this one from changing anything.
 * @throws AppError invalid-configuration
 */
export function startBullWorker(options: BullWorkerOptions): Worker {
  const { redisUrl, startRun, logger, times = lockTimes, maxLosses = 10 } = options;
  assertRedisUrl(redisUrl);
  const connections: Redis[] = [];
  const connect = (): Redis => {
    const connection = connectPatiently(redisUrl);
    connections.push(connection);
    return connection;
  };
  const client = connect();
  const inRedis = openRedisStore({ client, subscriber: connect(), reach: (commands) => commands() });
  const store = warnOfUnreadable(inRedis, logger);
  const bull = openWorkQueue((type) => (type === 'client' ? client : connect()), times);
  // What its connections say is told by the watch.
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
  // Bull gives up for good when its first command is refused: it begins when another one was answered.
  let taking: Promise<void> | undefined;
  const begin = (): void => {
    watch.succeeded();
    if (stop.signal.aborted) return;
    taking ??= begun(take());
    taking.catch((error: unknown) => {
      if (!stop.signal.aborted) watch.failed(error);
    });
  };
  const reconciler = createReconciler(store, wakeWorkers, options.leftovers);
  const tend = (): void => {
    reconciler.reconcile().then(begin, (error: unknown) => {
      if (!stop.signal.aborted) watch.failed(error);
    });
  };
  tend();
  const timer = setInterval(tend, times.stalledIntervalMs);
  return {
    async untilIdle(idleMs) {
      for (let restMs = idleMs; working !== undefined || restMs > 0;) {
        // What fails with its job's promise was told elsewhere.
        await (working?.catch(() => undefined) ?? delay(restMs, undefined, { ref: false }));
        restMs = idleSinceMs + idleMs - performance.now();
      }
      watch.assertReached();
    },
    async close() {
      stop.abort();
      clearInterval(timer);
      await working;
      // Without Redis, Bull would wait for the answer to its goodbye.
      await Promise.race([bull.close().catch(() => undefined), watch.isReached() ? never : delay(goodbyeMs)]);
      for (const connection of connections) connection.disconnect();
    },
  };
}
