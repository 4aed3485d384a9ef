import type { Request } from 'express';
import { AppError } from '../../../../shared/errors/app-error';
import { BoundedBody, refuseEncoded, tooLarge, type UploadLimits } from './bounded-body';
import type { HeldUpload } from './upload-memory';

/** How the body of a request with a recording is read. */
export interface BodyReading {
  readonly limits: UploadLimits;
  readonly signal: AbortSignal;
  /** Counts its bytes; its owner lets go of them when the recording is answered. */
  readonly hold: (giveUp: () => void) => HeldUpload;
}

/** Memory that is made for the first bytes of a body. */
const firstBytes = 64 * 1024;

/**
 * Lets `read` take the request's body, which is counted in memory and breaks off where it grows too
 * large, stalls, or is given up for others.
 * @param overheadBytes what it may weigh besides a recording
 * @throws AppError payload-too-large, unsupported-media, request-timeout, overloaded; the signal's
 *   reason; what `read` throws
 */
export async function readBody<T>(
  req: Request,
  { limits, signal, hold }: BodyReading,
  overheadBytes: number,
  read: (body: BoundedBody) => Promise<T>,
): Promise<T> {
  refuseEncoded(req.headers);
  if (Number(req.headers['content-length'] ?? 0) > limits.maxBytes + overheadBytes) throw tooLarge(limits);
  const body = new BoundedBody(req, limits, overheadBytes, signal);
  const held = hold(() => body.destroy(tooManyBytes()));
  body.countIn(held);
  try {
    return await read(body);
  } finally {
    // Nothing of it outlives this function, whatever became of it.
    body.destroy();
    held.arrived();
  }
}

/** All bytes of a body. They own their buffer. */
export async function readAll(body: BoundedBody): Promise<Uint8Array<ArrayBuffer>> {
  // Node holds a body to what its header says.
  const maxBytes = Number(body.headers['content-length'] ?? Infinity);
  let bytes = new Uint8Array(0);
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const needed = length + chunk.byteLength;
    if (needed > bytes.byteLength) {
      // It grows with what has come: a claim alone takes no memory.
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(firstBytes, 2 * needed)));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(chunk, length);
    length = needed;
  }
  return length === bytes.byteLength ? bytes : bytes.slice(0, length);
}

function tooManyBytes(): AppError {
  return new AppError('overloaded', 'Too many recordings are on their way; try again in 5 s.', {
    details: { retryAfterSeconds: 5 },
  });
}
