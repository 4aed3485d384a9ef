import { Transform, type TransformCallback } from 'node:stream';
import type { IncomingHttpHeaders } from 'node:http';
import type { Request } from 'express';
import { AppError } from '../../../../shared/errors/app-error';
import { cancellation } from '../../../../shared/errors/cancellation';
import type { HeldUpload } from './upload-memory';

export interface UploadLimits {
  /** Bytes of a recording at most. */
  readonly maxBytes: number;
  /** An upload from which nothing comes for so long is given up. */
  readonly idleMs: number;
  /** … and, behind so long, one from which on average too little comes. */
  readonly graceMs: number;
}

/**
 * What has to come in a second, on average and after a while: less than any link gives that a recording
 * is sent over. Who drips bytes takes a connection and memory for as long as they like.
 */
const leastBytesPerSecond = 1024;

/**
 * A request's body that breaks off, with the reason, when it grows too large, stalls, drips, or its
 * client is gone.
 */
export class BoundedBody extends Transform {
  readonly headers: IncomingHttpHeaders;
  readonly #limits: UploadLimits;
  readonly #idle: NodeJS.Timeout;
  readonly #startedMs = performance.now();
  #allowedBytes: number;
  #receivedBytes = 0;
  #held: HeldUpload | undefined;

  constructor(req: Request, limits: UploadLimits, overheadBytes: number, signal: AbortSignal) {
    super();
    this.headers = req.headers;
    this.#limits = limits;
    this.#allowedBytes = limits.maxBytes + overheadBytes;
    this.#idle = setTimeout(() => this.destroy(stalled(limits.idleMs)), limits.idleMs);
    // Whoever reads it hears of an error by reading; it may come when nobody does any more.
    this.on('error', () => undefined);
    const abandon = (): void => {
      this.destroy(cancellation(signal));
    };
    signal.addEventListener('abort', abandon, { once: true });
    this.once('close', () => {
      clearTimeout(this.#idle);
      signal.removeEventListener('abort', abandon);
    });
    if (signal.aborted) abandon();
    else req.pipe(this);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#idle.refresh();
    this.#allowedBytes -= chunk.byteLength;
    this.#receivedBytes += chunk.byteLength;
    this.#held?.add(chunk.byteLength);
    if (this.#allowedBytes < 0) done(tooLarge(this.#limits));
    else if (this.#isDripping) done(dripping());
    else done(null, chunk);
  }

  /** Counts its bytes, from the first one on, among those that all uploads take. */
  countIn(held: HeldUpload): void {
    this.#held = held;
  }

  get #isDripping(): boolean {
    const seconds = (performance.now() - this.#startedMs - this.#limits.graceMs) / 1000;
    return this.#receivedBytes < leastBytesPerSecond * seconds;
  }
}

export function tooLarge({ maxBytes }: UploadLimits): AppError {
  return new AppError('payload-too-large', `The upload is larger than ${maxBytes} bytes.`, {
    details: { maxBytes },
  });
}

function stalled(idleMs: number): AppError {
  return new AppError(
    'request-timeout',
    `Nothing came for ${idleMs / 1000} s; send the upload without pauses.`,
  );
}

function dripping(): AppError {
  return new AppError(
    'request-timeout',
    `Less than ${leastBytesPerSecond} bytes a second came; send the upload without pauses.`,
  );
}

/** @throws AppError unsupported-media */
export function refuseEncoded(headers: IncomingHttpHeaders): void {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity' || encoding === '') return;
  throw new AppError('unsupported-media', 'Send it without Content-Encoding: audio is compressed already.');
}
