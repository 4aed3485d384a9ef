import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createBoundedDecoder,
  defaultDecodedAudioBytes,
  longestSeconds,
  type BoundedDecoder,
} from '../../../shared/decode/pool/bounded-decoder';
import { createDecoderPool, type DecoderPool } from '../../../shared/decode/pool/decoder-pool';
import { expectedSeconds } from '../../../shared/decode/pool/expected-seconds';
import { AppError } from '../../../shared/errors/app-error';
import { rejection } from '../../support/rejection';
import { largestDifference, swell } from '../../support/signals';
import { wavFile } from '../../support/wav-file';

const sampleRate = 16_000;
/** While a second of it is decoded: pieces, and what they are joined to. */
const bytesPerSecond = 2 * 4 * sampleRate;
/** Seven eighths of it hold 14 s. */
const maxBytes = 16 * bytesPerSecond;
const request = { sampleRate, maxSeconds: 600 };
const wavOf = (seconds: number): Buffer => wavFile([swell(seconds, sampleRate)], { sampleRate, type: 's16' });

/** Twelve seconds that cost more time than any other test here, at a rate that has to be resampled. */
const slow = wavFile([new Float32Array(44_101 * 12)], { sampleRate: 44_101, type: 'u8' });

let pool: DecoderPool;
let refused: number;
let decoder: BoundedDecoder;
beforeAll(() => {
  pool = createDecoderPool({ threads: 2 });
});
afterAll(() => pool.close());
beforeEach(() => {
  refused = 0;
  decoder = createBoundedDecoder(pool, { maxBytes, onRefused: () => (refused += 1) });
});

/** Everything that runs has let go of its memory. */
async function emptied(): Promise<void> {
  while (decoder.heldBytes > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a decoder with a budget', () => {
  it('holds what a clip takes until it is given back, either way and once', async () => {
    const clips = [await decoder.decode(wavOf(2), request), await decoder.decode(wavOf(3), request)];
    expect(decoder.heldBytes).toBe(5 * sampleRate * 4);
    decoder.discard(clips[0]!);
    decoder.discard(clips[0]!);
    expect(decoder.heldBytes).toBe(3 * sampleRate * 4);
    decoder.recycle(clips[1]!);
    expect(decoder.heldBytes).toBe(0);
  });

  it('sets the whole need aside before it decodes, and makes others wait for it', async () => {
    const first = decoder.decode(wavOf(8), request);
    await Promise.resolve();
    // A second more than the header says.
    expect(decoder.heldBytes).toBeGreaterThanOrEqual(9 * bytesPerSecond);
    const order: string[] = [];
    const second = decoder.decode(wavOf(9), request).then((clip) => {
      order.push('second');
      return clip;
    });
    await Promise.resolve();
    expect(decoder.heldBytes).toBeLessThanOrEqual(maxBytes);
    const clip = await first;
    order.push('first');
    expect(largestDifference(clip.samples, swell(8, sampleRate))).toBeLessThan(1e-4);
    decoder.discard(clip);
    decoder.discard(await second);
    expect([order, decoder.heldBytes]).toEqual([['first', 'second'], 0]);
  });

  it('decodes what is longer than its header says again, with room for the longest', async () => {
    // Two files of five seconds, one behind the other; the last page knows of its own file alone.
    const sample = readFileSync(join(__dirname, '../../../../samples/dog.ogg'));
    const joined = Buffer.concat([sample, sample]);
    expect(expectedSeconds(joined)).toBeCloseTo(6, 1);
    const clip = await decoder.decode(joined, { ...request, consume: true });
    expect(clip.samples.length / sampleRate).toBeCloseTo(10, 1);
    expect(decoder.heldBytes).toBe(clip.samples.byteLength);
    decoder.discard(clip);
    expect(decoder.heldBytes).toBe(0);
  });

  it('refuses what would never fit, with the length that would', async () => {
    const seconds = longestSeconds(maxBytes, sampleRate);
    expect(seconds).toBe(14);
    const error = await rejection(decoder.decode(wavOf(15), request));
    expect([error.code, error.details['maxSeconds']]).toEqual(['clip-too-long', 14]);
    await emptied();
  });

  it('gives back what failed, was called off while it ran, and what waited until its time was over', async () => {
    await rejection(decoder.decode(Buffer.from('rubbish'), request));
    expect(decoder.heldBytes).toBe(0);
    const leaving = new AbortController();
    const running = rejection(decoder.decode(slow, { ...request, signal: leaving.signal }));
    const late = new AbortController();
    const waiting = rejection(decoder.decode(slow, { ...request, signal: late.signal }));
    late.abort(new AppError('engine-unavailable', 'No answer within 60 s.'));
    leaving.abort();
    const codes = (await Promise.all([running, waiting])).map(({ code }) => code);
    // Its wait for memory says nothing of the engine.
    expect([codes, refused]).toEqual([['cancelled', 'overloaded'], 1]);
    await emptied();
    const gone = new AbortController();
    const held = await decoder.decode(wavOf(12), request);
    const left = rejection(decoder.decode(slow, { ...request, signal: gone.signal }));
    gone.abort();
    await left;
    // Whoever leaves was refused nothing.
    expect(refused).toBe(1);
    decoder.discard(held);
    expect(decoder.heldBytes).toBe(0);
  });

  it('gives back what took too long, and what was under way when the decoder closed', async () => {
    const hasty = createDecoderPool({ threads: 1, timeLimitMs: 1 });
    decoder = createBoundedDecoder(hasty, { maxBytes });
    expect((await rejection(decoder.decode(slow, request))).code).toBe('undecodable-audio');
    await emptied();
    const closing = rejection(decoder.decode(slow, request));
    await hasty.close();
    await closing;
    await emptied();
  });
});

describe('the bytes for decoded audio', () => {
  it.each([
    [undefined, 1024],
    [64 * 2 ** 30, 1024],
    [2 ** 31, 512],
    [300 * 2 ** 20, 128],
  ])('are, in a container of %p bytes, %d MiB', (limitBytes, mebibytes) => {
    expect(defaultDecodedAudioBytes(limitBytes)).toBe(mebibytes * 2 ** 20);
  });
});
