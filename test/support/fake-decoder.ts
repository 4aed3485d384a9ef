import type { Clip, ClipDecoder, DecodeRequest } from '../../shared/signal/clip';
import { AppError, errorCodes } from '../../shared/errors/app-error';

/**
 * A decoder of texts: `3.25 12` is a clip of 12 s whose samples are all 3.25; an error's code fails with
 * it; `hold` never ends by itself. It notes what is under way, so that tests see an abandoned one go.
 */
export class FakeDecoder implements ClipDecoder {
  decoding = 0;
  #onDecode: (() => void)[] = [];

  async decode(bytes: Uint8Array, { sampleRate, signal }: DecodeRequest): Promise<Clip> {
    this.decoding++;
    for (const heard of this.#onDecode.splice(0)) heard();
    try {
      const text = Buffer.from(bytes).toString('latin1');
      if (text === 'hold') await aborted(signal!);
      if (text === 'defect') throw new TypeError('secret /path/of/a/file');
      const code = errorCodes.find((known) => known === text);
      if (code !== undefined) {
        throw new AppError(code, `Failed with ${code}.`, { details: { format: 'mp3' } });
      }
      await new Promise((resolve) => setImmediate(resolve));
      const [value, durationSeconds] = text.trim().split(/ +/).map(Number) as [number, number];
      const samples = new Float32Array(Math.round(durationSeconds * sampleRate)).fill(value);
      return {
        source: { format: 'wav', codec: 'pcm_s16le', sampleRate: 44_100, channels: 2, durationSeconds },
        sampleRate,
        samples,
        warnings: [],
      };
    } finally {
      this.decoding--;
    }
  }

  /** Resolves when the next recording arrives here. */
  nextDecode(): Promise<void> {
    return new Promise((resolve) => this.#onDecode.push(resolve));
  }

  recycle(): void {
    // Its clips are left to be collected.
  }

  discard(): void {
    // As above.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new AppError('cancelled', 'Abandoned.'));
    });
  });
}
