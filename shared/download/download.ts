export interface DownloadOptions {
  /** Limit above the expected size; a larger response is aborted. */
  readonly maxBytes: number;
  /** A connection without data for this long is aborted. */
  readonly idleMs: number;
  readonly signal?: AbortSignal | undefined;
  /**
   * Called after every chunk.
   * @param totalBytes as stated by the server; undefined where it does not say
   */
  readonly onBytes?: (bytes: number, totalBytes: number | undefined) => void;
}

/**
 * Yields the content at a URL in chunks.
 * @throws an error for `reasonOf`
 */
export async function* download(url: string, options: DownloadOptions): AsyncGenerator<Uint8Array> {
  const { maxBytes, idleMs, signal, onBytes } = options;
  const idle = new AbortController();
  const idleTimer = setTimeout(() => {
    idle.abort(new Error(`nothing arrived for ${idleMs / 1000} s`));
  }, idleMs);
  try {
    const combined = AbortSignal.any(signal === undefined ? [idle.signal] : [signal, idle.signal]);
    const response = await fetch(url, { signal: combined });
    if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
    const length = Number(response.headers.get('content-length') ?? NaN);
    const totalBytes = Number.isFinite(length) ? length : undefined;
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      idleTimer.refresh();
      onBytes?.(bytes, totalBytes);
      if (bytes > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
      yield chunk;
    }
  } catch (caught) {
    throw idle.signal.aborted ? idle.signal.reason : caught;
  } finally {
    clearTimeout(idleTimer);
  }
}

/** Returns why a download failed. `fetch failed` alone says nothing; its cause has the reason. */
export function reasonOf(caught: unknown): string {
  const { message, cause } = caught as { message: string; cause?: { message?: string; code?: string } };
  const detail = [cause?.message, cause?.code].find((text) => text !== undefined && text !== '');
  return detail === undefined ? message : `${message} (${detail})`;
}
