import type Redis from 'ioredis';
import { AppError } from '../errors/app-error';
import type { Logger } from '../observability/logger';
import { plain, redisPlace, unreachable } from './redis-connection';

/** Whether a queue in Redis can be worked with. */
export interface RedisWatch {
  /** To be told when commands were answered, or why they were not. */
  readonly succeeded: () => void;
  readonly failed: (error: unknown) => void;
  /** What is wrong with a Redis that answers. */
  readonly warnings: () => readonly string[];
  readonly isReached: () => boolean;
  /** @throws AppError unreachable with the reason, unless the latest commands were answered */
  readonly assertReached: () => void;
}

/** Says in the log where Redis is and why it cannot be used, once for each reason; when it can be again; and what it may lose. */
export function watchRedis(client: Redis, url: string, logger: Logger): RedisWatch {
  const redis = redisPlace(url);
  let problem: Error | undefined = new Error('it has not answered yet');
  let told: string | undefined;
  let warnings: readonly string[] = [];

  const fail = (cause: Error): void => {
    problem = cause;
    if (told === cause.message) return;
    told = cause.message;
    logger.error({ redis, reason: cause.message }, 'Redis cannot be used: jobs wait, and it is tried again');
  };
  const failed = (caught: unknown): void => {
    // What the log says is Redis' own answer, not what a caller is told about it.
    const inner = caught instanceof AppError ? caught.cause : caught;
    fail(plain(inner ?? caught));
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
      if (told !== undefined) logger.info({ redis }, 'Redis can be used again');
      told = undefined;
      problem = undefined;
      // Who may not ask about memory is told nothing of it.
      look().catch(() => undefined);
    },
    warnings: () => warnings,
    isReached: () => problem === undefined,
    assertReached: () => {
      if (problem !== undefined) throw unreachable(problem);
    },
  };
}

/** Jobs have no time to live: only the policies for all keys remove them. Managed servers often forbid CONFIG GET, but not INFO. */
function evictionWarning(redis: string, info: string): readonly string[] {
  const policy = /^maxmemory_policy:(allkeys-\S+)/m.exec(info)?.[1];
  if (policy === undefined) return [];
  return [
    `The Redis at ${redis} removes keys when its memory is full (maxmemory-policy ${policy}), jobs that were accepted among them: ` +
      'set maxmemory-policy to noeviction, or use a Redis that is no cache.',
  ];
}
