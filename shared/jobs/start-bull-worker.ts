import { setTimeout as delay } from 'node:timers/promises';
import type Redis from 'ioredis';
import type { Logger } from '../observability/logger';
import type { StartRun } from './child-run';
import { executeJob } from './execute-job';
import type { Announce } from './job-store';
import { assertRedisUrl, connectPatiently } from './redis-connection';
import { openRedisStore } from './redis-store';
import type { Leftovers } from './sweep-runs';
import { createTending } from './tend-jobs';
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

export interface Worker {
  /** Resolves when nothing was worked on for so long. */
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
  bull.on('error', (error) => {
    logger.debug({ err: error }, 'Bull');
  });
  const announce: Announce = (record) => addWork(bull, record);
  const stop = new AbortController();
  let working: Promise<void> | undefined;
  let idleSinceMs = performance.now();
  const context = { store, announce, startRun, logger, signal: stop.signal, maxLosses };
  const processing = bull.process(1, async ({ data }) => {
    working = executeJob(data.id, data.turn, context).finally(() => {
      working = undefined;
      idleSinceMs = performance.now();
    });
    await working;
  });
  processing.catch((error: unknown) => {
    if (!stop.signal.aborted) logger.error({ err: error }, 'jobs can no longer be taken');
  });
  const tending = createTending(store, announce, options.leftovers);
  const tend = (): void => {
    tending.tend().catch((error: unknown) => {
      if (!stop.signal.aborted) logger.warn({ err: error }, 'jobs could not be looked after');
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
    },
    async close() {
      stop.abort();
      clearInterval(timer);
      await Promise.all([bull.close(), working]);
      for (const connection of connections) connection.disconnect();
    },
  };
}
