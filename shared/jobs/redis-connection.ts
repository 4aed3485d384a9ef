import { once } from 'node:events';
import Redis, { type RedisOptions } from 'ioredis';
import { AppError } from '../errors/app-error';

/** Who asks waits so long for Redis, at most. */
const commandMs = 3000;
/** After a lost connection it is tried again at least so often. */
const maxRetryMs = 1000;

const common: RedisOptions = {
  connectTimeout: 5000,
  // A machine that vanished without a word is noticed by the operating system's probes.
  keepAlive: 10_000,
  retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 8), maxRetryMs),
  // Bull asks for it on blocking connections; a Redis that is still loading refuses, and is asked again.
  enableReadyCheck: false,
  reconnectOnError: (error) => error.message.startsWith('LOADING') && 2,
};

/** @throws AppError invalid-configuration; the address, which may hold a password, is not repeated */
export function assertRedisUrl(url: string): void {
  if (!/^rediss?:\/\/\S+$/.test(url) || !URL.canParse(url)) {
    throw new AppError(
      'invalid-configuration',
      'REDIS_URL: expected redis://[user:password@]host[:port][/database], or rediss:// for TLS',
    );
  }
}

/** For who cannot wait: commands fail while the connection is down. */
export function connectImpatiently(url: string): Redis {
  return withoutNoise(
    new Redis(url, {
      ...common,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      commandTimeout: commandMs,
    }),
  );
}

/** For workers: commands wait until Redis is there again, however long that takes. */
export function connectPatiently(url: string): Redis {
  return withoutNoise(new Redis(url, { ...common, maxRetriesPerRequest: null }));
}

/** Without a listener ioredis prints each failed attempt; whoever asks is told anyway. */
function withoutNoise(client: Redis): Redis {
  client.on('error', () => undefined);
  return client;
}

/** Runs commands of an impatient connection. @throws AppError unreachable, within a few seconds */
export async function reaching<T>(client: Redis, commands: () => Promise<T>): Promise<T> {
  try {
    if (client.status !== 'ready') {
      await once(client, 'ready', { signal: AbortSignal.timeout(commandMs) });
    }
    return await commands();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('unreachable', 'The queue of jobs cannot be reached now: try again in a moment.', {
      cause,
      details: { retryAfterSeconds: 5 },
    });
  }
}
