import { once } from 'node:events';
import { createRequire } from 'node:module';
import type Redis from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { AppError } from '../errors/app-error';

/** Who asks waits so long for Redis, at most. */
const commandMs = 3000;
/** After a lost connection it is tried again at least so often. */
const maxRetryMs = 1000;

/**
 * Answers of a server that is the wrong one now: it became a replica, loads its data, or lost its master. Behind a fixed address, a
 * new connection may lead to the right one. A script's answer has the word in the middle.
 */
const elsewhere = /^(LOADING|MASTERDOWN|UNBLOCKED)|\bREADONLY\b/;

const common: RedisOptions = {
  connectTimeout: 5000,
  // A machine that vanished without a word is noticed by the operating system's probes.
  keepAlive: 10_000,
  retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 8), maxRetryMs),
  // Bull asks for it on blocking connections; a Redis that is still loading refuses, and is asked again.
  enableReadyCheck: false,
};

/** @throws AppError invalid-configuration; the address, which may hold a password, is not repeated */
export function assertRedisUrl(url: string): void {
  const problem = problemOf(url);
  if (problem !== undefined) throw new AppError('invalid-configuration', `REDIS_URL: ${problem}`);
}

function problemOf(url: string): string | undefined {
  const encode =
    'in the user and the password, % is written %25, / %2F, @ %40, # %23 and ? %3F (percent-encoding)';
  // What follows one of these in a password would be taken for a path, and what precedes it for the host.
  if (/^rediss?:\/\/[^@]*[/?#].*@/.test(url)) return encode;
  if (!/^rediss?:\/\/\S+$/.test(url) || !URL.canParse(url)) {
    return `expected redis://[user:password@]host[:port][/database], or rediss:// for TLS; ${encode}`;
  }
  const { username, password, pathname } = new URL(url);
  if (!/^\/?\d*$/.test(pathname)) return 'the database behind the host is a number, as in redis://host/0';
  try {
    decodeURIComponent(username + password);
    return undefined;
  } catch {
    return encode;
  }
}

/** The server in a URL, for people: without user and password. */
export function redisPlace(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port === '' ? '6379' : port}`;
}

/** The package is loaded with the first connection: most services and trainers have none. */
function open(url: string, options: RedisOptions): Redis {
  const Client = createRequire(__filename)('ioredis') as typeof Redis;
  return new Client(url, options);
}

/** For who cannot wait: commands fail while the connection is down. */
export function connectImpatiently(url: string): Redis {
  const reconnectOnError = (error: Error): boolean => elsewhere.test(error.message);
  const options = { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: commandMs };
  return remembering(open(url, { ...common, ...options, reconnectOnError }));
}

/** For workers: commands wait until Redis is there again, however long that takes. */
export function connectPatiently(url: string): Redis {
  // 2: the command is sent again.
  const reconnectOnError = (error: Error): 2 | false => (elsewhere.test(error.message) ? 2 : false);
  return remembering(open(url, { ...common, maxRetriesPerRequest: null, reconnectOnError }));
}

const lastErrors = new WeakMap<Redis, Error>();

/** Keeps why a connection is down; without a listener ioredis prints each failed attempt. */
function remembering(client: Redis): Redis {
  client.on('error', (error: Error) => {
    lastErrors.set(client, plain(error));
  });
  client.on('ready', () => lastErrors.delete(client));
  return client;
}

/** Why a connection is down; undefined while it is up. */
export function connectionError(client: Redis): Error | undefined {
  return client.status === 'ready' ? undefined : lastErrors.get(client);
}

/** An error of Redis or of the way to it, without the command that failed: its arguments hold passwords and whole jobs. */
export function plain(caught: unknown): Error {
  const error = new Error(caught instanceof Error ? wordsOf(caught) : String(caught));
  if (caught instanceof Error) error.name = caught.name;
  return error;
}

function wordsOf({ message, code = 'no connection' }: NodeJS.ErrnoException): string {
  // Several addresses that were tried make an error without words.
  return message === '' ? code : message.slice(0, 300);
}

/**
 * Runs commands of an impatient connection; once more on a new connection where the server was the wrong one.
 * @throws AppError unreachable with what Redis answered, or why there is no connection, within a few seconds
 */
export async function reaching<T>(client: Redis, commands: () => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(commandMs);
  let refusal: Error | undefined;
  for (;;) {
    try {
      // After a refusal the connection is given up, whatever its status is still.
      if (client.status !== 'ready' || refusal !== undefined)
        await once(client, 'ready', { signal: deadline });
      return await commands();
    } catch (caught) {
      if (caught instanceof AppError) throw caught;
      const error = plain(caught);
      if (!elsewhere.test(error.message)) throw unreachable(refusal ?? connectionError(client) ?? error);
      refusal = error;
    }
  }
}

export function unreachable(cause: Error): AppError {
  const why =
    cause.name === 'ReplyError'
      ? `Redis answers "${cause.message}"`
      : cause.name === 'AbortError'
        ? 'Redis does not answer'
        : `there is no connection to Redis (${cause.message})`;
  return new AppError(
    'unreachable',
    `The queue of jobs cannot be reached now: ${why}. Try again in a moment.`,
    {
      cause,
      details: { retryAfterSeconds: 5 },
    },
  );
}
