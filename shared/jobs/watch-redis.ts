import type Redis from 'ioredis';
import { AppError } from '../errors/app-error';
import type { Logger } from '../observability/logger';
import { withoutCommand, redisPlace, unreachable } from './redis-connection';

/** Tracks whether Redis can be used. */
export interface RedisWatch {
  /** Called after commands have succeeded or failed. */
  readonly succeeded: () => void;
  readonly failed: (error: unknown) => void;
  /** Problems of a Redis that can be reached, as sentences. */
  readonly warnings: () => readonly string[];
  readonly isReached: () => boolean;
  /** @throws AppError unreachable with the reason, unless the latest commands succeeded */
  readonly assertReached: () => void;
}

/**
 * Logs the address of Redis, each reason why it cannot be used once, when it can be used again, and
 * settings under which it may lose jobs.
 */
export function watchRedis(client: Redis, url: string, logger: Logger): RedisWatch {
  const redis = redisPlace(url);
  let problem: Error | undefined = new Error('it has not answered yet');
  let loggedProblem: string | undefined;
  let warnings: readonly string[] = [];

  const fail = (cause: Error): void => {
    problem = cause;
    if (loggedProblem === cause.message) return;
    loggedProblem = cause.message;
    logger.error({ redis, reason: cause.message }, 'Redis cannot be used: jobs wait, and it is tried again');
  };
  const failed = (caught: unknown): void => {
    // The log contains the answer of Redis, and not the message for callers.
    const inner = caught instanceof AppError ? caught.cause : caught;
    fail(withoutCommand(inner ?? caught));
  };
  const look = async (): Promise<void> => {
    const found = evictionWarning(redis, await client.info('memory'));
    if (found.join() !== warnings.join()) for (const warning of found) logger.warn({ redis }, warning);
    warnings = found;
  };

  client.on('error', failed);
  return {
    failed,
    succeeded: () => {
      if (loggedProblem !== undefined) logger.info({ redis }, 'Redis can be used again');
      loggedProblem = undefined;
      problem = undefined;
      // A user without permission for INFO gets no warning.
      look().catch(() => undefined);
    },
    warnings: () => warnings,
    isReached: () => problem === undefined,
    assertReached: () => {
      if (problem !== undefined) throw unreachable(problem);
    },
  };
}

/**
 * Returns a warning for eviction policies that may remove jobs. Jobs have no expiry, so only the
 * policies for all keys do. Managed servers often forbid CONFIG GET, but not INFO.
 */
function evictionWarning(redis: string, info: string): readonly string[] {
  const policy = /^maxmemory_policy:(allkeys-\S+)/m.exec(info)?.[1];
  if (policy === undefined) return [];
  return [
    `The Redis at ${redis} removes keys when its memory is full (maxmemory-policy ${policy}), jobs that were accepted among them: ` +
      'set maxmemory-policy to noeviction, or use a Redis that is no cache.',
  ];
}
