import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from '../../../shared/runtime/clock';
import { keyProtocolPrefix } from '../../../shared/contracts/stream';
import { AppError } from '../../../shared/errors/app-error';
import { TokenBucket } from './token-bucket';

/** `API_KEYS_FILE`: who may use the service. It holds hashes, so keys cannot be read from the file. */
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

/** The account that a request belongs to. */
export interface Caller {
  readonly name: string;
  /** Largest number of streams that it may have open. */
  readonly maxStreams: number;
  /** Whether it may change what is served and trained. */
  readonly admin: boolean;
}

interface CallerHeaders {
  readonly authorization?: string | undefined;
  readonly 'sec-websocket-protocol'?: string | undefined;
}

/**
 * Identifies the caller and counts the request against its rate limit.
 * @throws AppError unauthorized, rate-limited (details: retryAfterSeconds)
 */
export type Identify = (headers: CallerHeaders) => Caller;

/** A caller without a known key, where the service requires no key. */
export const anyone: Caller = { name: 'anyone', maxStreams: Infinity, admin: false };

/** Name of the caller with the generated admin key. The blank keeps it apart from names of the file. */
const localAdmin = 'local admin';
/** Requests a minute with the generated key; far more than the command line sends. */
const localPerMinute = 6000;

/** The keys of `API_KEYS_FILE`; undefined where there is no such file and every caller is admitted. */
export type ApiKeys = z.infer<typeof apiKeysSchema>['keys'] | undefined;

/**
 * Creates the function that identifies callers by their keys.
 * @param localAdminSha256 SHA-256 (hex) of the admin key that the service generated, if it did
 */
export function createIdentify(keys: ApiKeys, clock: Clock, localAdminSha256?: string): Identify {
  const callers = (keys ?? []).map(({ name, sha256, requestsPerMinute, streams, admin }) => ({
    hash: Buffer.from(sha256, 'hex'),
    caller: { name, maxStreams: streams, admin },
    bucket: new TokenBucket(requestsPerMinute, clock),
  }));
  if (localAdminSha256 !== undefined) {
    const caller = { name: localAdmin, maxStreams: Infinity, admin: true };
    callers.push({
      hash: Buffer.from(localAdminSha256, 'hex'),
      caller,
      bucket: new TokenBucket(localPerMinute, clock),
    });
  }
  return (headers) => {
    const key = presentedKey(headers);
    if (key === undefined && keys === undefined) return anyone;
    if (key === undefined) throw unauthorized('Send your API key: Authorization: Bearer KEY.');
    const hash = createHash('sha256').update(key).digest();
    // All keys are compared in constant time, so the response time does not reveal a partial match.
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

/** Reads and checks the file. @throws AppError invalid-configuration when it cannot be used */
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

/**
 * The key of `Authorization: Bearer KEY`. Browsers cannot set this header on a WebSocket and offer the
 * key as a subprotocol instead.
 */
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
