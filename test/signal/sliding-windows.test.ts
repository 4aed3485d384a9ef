import { SlidingWindows, type SlidingWindow } from '../../shared/signal/sliding-windows';
import { sliceWindows } from '../../shared/signal/windows';
import { largestDifference, randomNumbers } from '../support/signals';

const rate = 100;

/** Sample k is k, so that a window shows where it was cut. */
const counting = (samples: number): Float32Array => Float32Array.from({ length: samples }, (_, k) => k);

function stream(
  samples: Float32Array,
  windowSeconds: number,
  hopSeconds: number,
  chunk: () => number,
): SlidingWindow[] {
  const sliding = new SlidingWindows({ sampleRate: rate, windowSeconds, hopSeconds });
  const windows: SlidingWindow[] = [];
  for (let at = 0; at < samples.length;) {
    const size = chunk();
    sliding.push(samples.subarray(at, at + size));
    at += size;
    for (let next = sliding.take(); next !== undefined; next = sliding.take()) windows.push(next);
  }
  const last = sliding.finish();
  return last === undefined ? windows : [...windows, last];
}

const spans = (windows: readonly { startSeconds: number; endSeconds: number }[]): string[] =>
  windows.map(({ startSeconds, endSeconds }) => `${startSeconds}-${endSeconds}`);

describe('sliding windows', () => {
  it('begin at 1 s, grow to a full window, then slide', () => {
    expect(spans(stream(counting(700), 5, 0.5, () => 7))).toEqual([
      ...['0-1', '0-1.5', '0-2', '0-2.5', '0-3', '0-3.5', '0-4', '0-4.5', '0-5'],
      ...['0.5-5.5', '1-6', '1.5-6.5', '2-7'],
    ]);
  });

  it('keep to the grid of the full windows with a hop that does not divide them', () => {
    expect(spans(stream(counting(700), 5, 1.5, () => 50))).toEqual([
      '0-1',
      '0-2',
      '0-3.5',
      '0-5',
      '1.5-6.5',
      '2-7',
    ]);
  });

  it('are complete as soon as their last sample is in', () => {
    const sliding = new SlidingWindows({ sampleRate: rate, windowSeconds: 2, hopSeconds: 1 });
    sliding.push(counting(99));
    expect(sliding.take()).toBeUndefined();
    sliding.push(counting(1));
    expect(sliding.take()).toMatchObject({ startSeconds: 0, endSeconds: 1, newSamples: 100 });
    expect(sliding.take()).toBeUndefined();
  });

  it('hold every window of the same recording sent as a file, in any chunks', () => {
    const random = randomNumbers(5);
    for (let trial = 0; trial < 300; trial += 1) {
      const samples = counting(1 + Math.floor(random() * 1500));
      const windowSeconds = [5, 2, 0.5, 1][trial % 4]!;
      const hopSeconds = Math.min(windowSeconds, [0.5, 0.1, 0.73, 0.333, 2][trial % 5]!);
      const largest = [1, 30, 400, 2000][trial % 4]!;
      const windows = stream(samples, windowSeconds, hopSeconds, () => 1 + Math.floor(random() * largest));
      const bySpan = new Map(windows.map((window) => [spans([window])[0], window]));
      expect(bySpan.size).toBe(windows.length);
      for (const wanted of sliceWindows(samples, rate, windowSeconds, hopSeconds)) {
        const got = bySpan.get(spans([wanted])[0]);
        expect(got === undefined ? spans([wanted]) : largestDifference(got.samples, wanted.samples)).toBe(0);
      }
      // Nothing is new twice, and nothing of a clip that ends on the grid is left out.
      const heard = windows.reduce((sum, { newSamples }) => sum + newSamples, 0);
      expect(samples.length - heard).toBeLessThan(0.05 * rate);
    }
  });

  it('give a sound shorter than 1 s one window, and nothing none', () => {
    expect(spans(stream(counting(30), 5, 0.5, () => 10))).toEqual(['0-0.3']);
    expect(stream(counting(0), 5, 0.5, () => 10)).toEqual([]);
  });

  it('leave out all but the newest when told to, and say what no window covers', () => {
    const sliding = new SlidingWindows({ sampleRate: rate, windowSeconds: 2, hopSeconds: 1 });
    sliding.push(counting(250));
    expect(spans([sliding.take()!])).toEqual(['0-1']);
    expect(sliding.skip(1)).toEqual({ windows: 0, unheard: undefined });
    sliding.push(counting(750));
    expect(sliding.skip(2)).toEqual({ windows: 7, unheard: { startSeconds: 1, endSeconds: 7 } });
    expect(sliding.waitingSeconds).toBe(3);
    expect(spans([sliding.take()!, sliding.take()!])).toEqual(['7-9', '8-10']);
    expect(sliding.take()).toBeUndefined();
  });

  it('refuse a hop of less than a sample', () => {
    expect(() => new SlidingWindows({ sampleRate: rate, windowSeconds: 5, hopSeconds: 0.001 })).toThrow(
      RangeError,
    );
  });
});
