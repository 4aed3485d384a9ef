import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from '../../../shared/runtime/clock';
import { keyProtocolPrefix } from '../../../shared/contracts/stream';
import { AppError } from '../../../shared/errors/app-error';
import { TokenBucket } from './token-bucket';

/** `API_KEYS_FILE`: who may use the service. Keys stand in it as hashes, so that the file alone opens nothing. */
const apiKeysSchema = z.strictObject({
  keys: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[\w.-]{1,64}$/),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        requestsPerMinute: z.number().positive().max(1e6).default(600),
        streams: z.int().min(0).max(10_000).default(8),
        admin: z.boolean().default(false),
      }),
    )
    .min(1)
    .max(1000),
});

/** Who asks. */
export interface Caller {
  readonly name: string;
  /** Streams it may have open at once. */
  readonly maxStreams: number;
  /** May it change what is served and trained? */
  readonly admin: boolean;
}

export interface CallerHeaders {
  readonly authorization?: string | undefined;
  readonly 'sec-websocket-protocol'?: string | undefined;
}

/** Finds out who asks and counts it. @throws AppError unauthorized, rate-limited (details: retryAfterSeconds) */
export type Identify = (headers: CallerHeaders) => Caller;

/** Who sends no key, or one that is not known, where none is asked for. */
export const anyone: Caller = { name: 'anyone', maxStreams: Infinity, admin: false };

/** Of the key that the service made at its start; no key of a file can have this name. */
const localAdmin = 'local admin';
/** Requests; more than a command line makes. */
const localPerMinute = 6000;

/** The keys of `API_KEYS_FILE`, or undefined where there is no such file and everybody is let in. */
export type ApiKeys = z.infer<typeof apiKeysSchema>['keys'] | undefined;

/**
 * @param made sha256 of the admin key that the service made at its start; absent: it made none
 */
export function createIdentify(keys: ApiKeys, clock: Clock, made?: string): Identify {
  const callers = (keys ?? []).map(({ name, sha256, requestsPerMinute, streams, admin }) => ({
    hash: Buffer.from(sha256, 'hex'),
    caller: { name, maxStreams: streams, admin },
    bucket: new TokenBucket(requestsPerMinute, clock),
  }));
  if (made !== undefined) {
    const caller = { name: localAdmin, maxStreams: Infinity, admin: true };
    callers.push({ hash: Buffer.from(made, 'hex'), caller, bucket: new TokenBucket(localPerMinute, clock) });
  }
  return (headers) => {
    const key = presentedKey(headers);
    if (key === undefined && keys === undefined) return anyone;
    if (key === undefined) throw unauthorized('Send your API key: Authorization: Bearer KEY.');
    const hash = createHash('sha256').update(key).digest();
    // Every key is compared, in constant time: how long it takes tells nothing of which was nearly right.
    const [match] = callers.filter((known) => timingSafeEqual(known.hash, hash));
    if (match === undefined && keys === undefined) return anyone;
    if (match === undefined) throw unauthorized('This API key is not known here.');
    const waitMs = match.bucket.take();
    if (waitMs === 0) return match.caller;
    const retryAfterSeconds = Math.ceil(waitMs / 1000);
    throw new AppError(
      'rate-limited',
      `Too many requests with this key; try again in ${retryAfterSeconds} s.`,
      {
        details: { retryAfterSeconds },
      },
    );
  };
}

/** @throws AppError invalid-configuration when the file cannot be used */
export function readApiKeys(file: string | undefined): ApiKeys {
  if (file === undefined) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw new AppError('invalid-configuration', `API_KEYS_FILE=${file} ${why}.`, { cause });
  }
  const parsed = apiKeysSchema.safeParse(content);
  if (parsed.success) return parsed.data.keys;
  const problems = parsed.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`);
  throw new AppError('invalid-configuration', `API_KEYS_FILE=${file} is not valid:\n${problems.join('\n')}`);
}

/** As `Authorization: Bearer KEY`; a browser, which cannot set that on a WebSocket, offers it as a subprotocol. */
function presentedKey(headers: CallerHeaders): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const offered = (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((protocol) => protocol.trim())
    .find((protocol) => protocol.startsWith(keyProtocolPrefix));
  const key = bearer ?? offered?.slice(keyProtocolPrefix.length);
  return key === '' ? undefined : key;
}

function unauthorized(message: string): AppError {
  return new AppError('unauthorized', message);
}
