import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from '../../../shared/batching/clock';
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
  /** May it change what is served and trained? `unconfigured`: no key may, so that it depends on where it asks from. */
  readonly admin: 'granted' | 'denied' | 'unconfigured';
}

export interface CallerHeaders {
  readonly authorization?: string | undefined;
  readonly 'sec-websocket-protocol'?: string | undefined;
}

/** Finds out who asks and counts it. @throws AppError unauthorized, rate-limited (details: retryAfterSeconds) */
export type Identify = (headers: CallerHeaders) => Caller;

/** Where no keys are asked for. */
const anyone: Caller = { name: 'anyone', maxStreams: Infinity, admin: 'unconfigured' };

/** @throws AppError invalid-configuration when the file cannot be used */
export function createIdentify(file: string | undefined, clock: Clock): Identify {
  if (file === undefined) return () => anyone;
  const keys = readKeys(file);
  const others = keys.some(({ admin }) => admin) ? ('denied' as const) : ('unconfigured' as const);
  const callers = keys.map(({ name, sha256, requestsPerMinute, streams, admin }) => ({
    hash: Buffer.from(sha256, 'hex'),
    caller: { name, maxStreams: streams, admin: admin ? ('granted' as const) : others },
    bucket: new TokenBucket(requestsPerMinute, clock),
  }));
  return (headers) => {
    const hash = createHash('sha256').update(presentedKey(headers)).digest();
    // Every key is compared, in constant time: how long it takes tells nothing of which was nearly right.
    const [match] = callers.filter((known) => timingSafeEqual(known.hash, hash));
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

function readKeys(file: string): z.infer<typeof apiKeysSchema>['keys'] {
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
function presentedKey(headers: CallerHeaders): string {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const offered = (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((protocol) => protocol.trim())
    .find((protocol) => protocol.startsWith(keyProtocolPrefix));
  const key = bearer ?? offered?.slice(keyProtocolPrefix.length);
  if (key !== undefined && key !== '') return key;
  throw unauthorized('Send your API key: Authorization: Bearer KEY.');
}

function unauthorized(message: string): AppError {
  return new AppError('unauthorized', message);
}
