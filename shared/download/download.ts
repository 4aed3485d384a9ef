export interface DownloadOptions {
  /** More than is expected; a server that sends more is stopped there. */
  readonly maxBytes: number;
  /** A connection that brings nothing for so long is given up. */
  readonly idleMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told after every piece. @param totalBytes as the server says it, if it does */
  readonly onBytes?: (bytes: number, totalBytes: number | undefined) => void;
}

/**
 * What stands at an address, piece by piece.
 * @throws an error that says what went wrong: see `reasonOf`
 */
export async function* download(url: string, options: DownloadOptions): AsyncGenerator<Uint8Array> {
  const { maxBytes, idleMs, signal, onBytes } = options;
  const idle = new AbortController();
  const giveUp = setTimeout(() => {
    idle.abort(new Error(`nothing arrived for ${idleMs / 1000} s`));
  }, idleMs);
  try {
    const either = AbortSignal.any(signal === undefined ? [idle.signal] : [signal, idle.signal]);
    const response = await fetch(url, { signal: either });
    if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
    const length = Number(response.headers.get('content-length') ?? NaN);
    const totalBytes = Number.isFinite(length) ? length : undefined;
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      giveUp.refresh();
      onBytes?.(bytes, totalBytes);
      if (bytes > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
      yield chunk;
    }
  } catch (caught) {
    throw idle.signal.aborted ? idle.signal.reason : caught;
  } finally {
    clearTimeout(giveUp);
  }
}

/** Why a download failed, in words: `fetch failed` says nothing; its cause does. */
export function reasonOf(caught: unknown): string {
  const { message, cause } = caught as { message: string; cause?: { message?: string; code?: string } };
  const detail = [cause?.message, cause?.code].find((text) => text !== undefined && text !== '');
  return detail === undefined ? message : `${message} (${detail})`;
}
