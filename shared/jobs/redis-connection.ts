import { once } from 'node:events';
import { createRequire } from 'node:module';
import type Redis from 'ioredis';
import type { RedisOptions } from 'ioredis';
import { AppError } from '../errors/app-error';

/** Time limit of a command for callers that need an answer. */
const commandTimeoutMs = 3000;
/** Maximum pause between two attempts to reconnect. */
const maxRetryMs = 1000;

/**
 * Matches errors of a server that is not the master now: it became a replica, loads its data, or lost
 * its master. Behind a fixed address a new connection may reach the master. In the error of a script the
 * word is not at the beginning.
 */
const notMaster = /^(LOADING|MASTERDOWN|UNBLOCKED)|\bREADONLY\b/;

const common: RedisOptions = {
  connectTimeout: 5000,
  // TCP keep-alive detects a machine that disappeared without closing its connections.
  keepAlive: 10_000,
  retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 8), maxRetryMs),
  // Bull requires this for blocking connections. A Redis that is still loading refuses commands, which
  // are retried.
  enableReadyCheck: false,
};

/**
 * Checks the form of a Redis address.
 * @throws AppError invalid-configuration; its message does not repeat the address, which may contain a
 * password
 */
export function assertRedisUrl(url: string): void {
  const problem = problemOf(url);
  if (problem !== undefined) throw new AppError('invalid-configuration', `REDIS_URL: ${problem}`);
}

function problemOf(url: string): string | undefined {
  const encode =
    'in the user and the password, % is written %25, / %2F, @ %40, # %23 and ? %3F (percent-encoding)';
  // A URL parser would take the rest of the password after one of these for a path, and the part before
  // for the host.
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

/** Returns the server of a URL for messages, without user and password. */
export function redisPlace(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port === '' ? '6379' : port}`;
}

/** Loads the package with the first connection, because most processes have none. */
function open(url: string, options: RedisOptions): Redis {
  const Client = createRequire(__filename)('ioredis') as typeof Redis;
  return new Client(url, options);
}

/** Connects for callers that need an answer soon: commands fail while the connection is down. */
export function connectFailFast(url: string): Redis {
  const reconnectOnError = (error: Error): boolean => notMaster.test(error.message);
  const options = { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: commandTimeoutMs };
  return withErrorRecord(open(url, { ...common, ...options, reconnectOnError }));
}

/** Connects for workers: commands wait until Redis can be reached, without a time limit. */
export function connectWithRetries(url: string): Redis {
  // 2 tells ioredis to send the command again.
  const reconnectOnError = (error: Error): 2 | false => (notMaster.test(error.message) ? 2 : false);
  return withErrorRecord(open(url, { ...common, maxRetriesPerRequest: null, reconnectOnError }));
}

const lastErrors = new WeakMap<Redis, Error>();

/** Keeps the last error of a connection. Without a listener ioredis would print each failed attempt. */
function withErrorRecord(client: Redis): Redis {
  client.on('error', (error: Error) => {
    lastErrors.set(client, withoutCommand(error));
  });
  client.on('ready', () => lastErrors.delete(client));
  return client;
}

/** Returns why a connection is down; undefined while it is up. */
function connectionError(client: Redis): Error | undefined {
  return client.status === 'ready' ? undefined : lastErrors.get(client);
}

/**
 * Returns an error of Redis or of the connection without the failed command, whose arguments may contain
 * passwords and jobs.
 */
export function withoutCommand(caught: unknown): Error {
  const error = new Error(caught instanceof Error ? messageOf(caught) : String(caught));
  if (caught instanceof Error) error.name = caught.name;
  return error;
}

function messageOf({ message, code = 'no connection' }: NodeJS.ErrnoException): string {
  // Several addresses that were tried give an error without a message.
  return message === '' ? code : message.slice(0, 300);
}

/**
 * Runs commands on a connection of `connectFailFast`. They run once more on a new connection where the
 * server was not the master.
 * @throws AppError unreachable within a few seconds, with the answer of Redis or the reason for the
 * missing connection
 */
export async function runCommands<T>(client: Redis, commands: () => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(commandTimeoutMs);
  let refusal: Error | undefined;
  for (;;) {
    try {
      // After such an answer the connection is replaced, even if its status is still ready.
      if (client.status !== 'ready' || refusal !== undefined)
        await once(client, 'ready', { signal: deadline });
      return await commands();
    } catch (caught) {
      if (caught instanceof AppError) throw caught;
      const error = withoutCommand(caught);
      if (!notMaster.test(error.message)) throw unreachable(refusal ?? connectionError(client) ?? error);
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
