import { createFullScaleGuard } from '../../shared/signal/full-scale-guard';
import { cutAtRandom } from '../support/cut-signal';
import { largestDifference, randomNumbers, swell, tone } from '../support/signals';

const rate = 16_000;
const clean = swell(4, rate);

/** What the guard makes of a signal in random pieces, and what it said; the same in one piece. */
function guarded(signal: Float32Array): { out: Float32Array; said: string[] } {
  const said: string[] = [];
  const whole = cutAtRandom(
    createFullScaleGuard(rate, (event) => said.push(event)),
    signal,
    signal.length,
  );
  for (const largest of [97, 5000]) {
    const again = cutAtRandom(
      createFullScaleGuard(rate, () => undefined),
      signal,
      largest,
    );
    expect(largestDifference(again, whole)).toBe(0);
  }
  return { out: whole, said: [...new Set(said)] };
}

function withBurst(from: number, samples: number, size: number): Float32Array {
  const random = randomNumbers(2);
  return clean.map((x, index) => (index >= from && index < from + samples ? size * (random() - 0.5) : x));
}

describe('the full-scale guard', () => {
  it.each([0.5, 1, 2, 7.9])('lets a signal of amplitude %d pass as it is', (size) => {
    const signal = tone(440, rate, rate, size);
    const { out, said } = guarded(signal);
    expect(largestDifference(out, signal)).toBe(0);
    expect(said).toEqual([]);
  });

  it.each([
    [1, 1e9],
    [400, 4e9],
    [1152, 100],
    [6000, 1e20],
  ])('mutes a burst of %d samples of size %d', (samples, size) => {
    const from = 30_000;
    const { out, said } = guarded(withBurst(from, samples, size));
    expect(said).toEqual(['muted']);
    expect(largestDifference(out.subarray(0, from), clean.subarray(0, from))).toBeLessThan(8);
    expect(Math.max(...out.map(Math.abs))).toBeLessThanOrEqual(8);
    const behind = from + samples + 0.04 * rate;
    expect(largestDifference(out.subarray(behind), clean.subarray(behind))).toBe(0);
    expect(out).toHaveLength(clean.length);
  });

  it('mutes each of several bursts', () => {
    const signal = withBurst(20_000, 300, 1e6);
    signal.set(withBurst(40_000, 300, 1e6).subarray(40_000, 40_300), 40_000);
    const { out } = guarded(signal);
    expect(largestDifference(out.subarray(25_000, 39_000), clean.subarray(25_000, 39_000))).toBe(0);
    expect(largestDifference(out.subarray(42_000), clean.subarray(42_000))).toBe(0);
  });

  it.each([
    ['16-bit whole numbers', 2 ** 15, true],
    ['24-bit whole numbers', 2 ** 23, true],
    ['32-bit whole numbers', 2 ** 31, true],
    ['10²⁰', 1e20, false],
    ['3·10³⁸', 3e38, false],
  ])('brings %s to full scale', (_, scale, isWhole) => {
    const signal = clean.map((x) => (isWhole ? Math.round(x * scale) : x * scale));
    const { out, said } = guarded(signal);
    expect(said).toEqual(['rescaled']);
    // The signal swells; its loudest part ends at the last scale.
    const loud = Math.max(...out.map(Math.abs));
    expect(loud).toBeGreaterThan(0.25);
    expect(loud).toBeLessThanOrEqual(8);
    const [from, to] = [2 * rate, 4 * rate];
    const factor = out[from + 500]! / signal[from + 500]!;
    expect(Math.log2(factor) % 1).toBeCloseTo(0, 5);
    expect(
      largestDifference(
        out.subarray(from, to),
        signal.subarray(from, to).map((x) => x * factor),
      ),
    ).toBe(0);
  });

  it('takes a recording shorter than any damage for one of another scale', () => {
    const signal = tone(440, rate, 2000, 20_000).map(Math.round);
    const { out, said } = guarded(signal);
    expect(said).toEqual(['rescaled']);
    expect(
      largestDifference(
        out,
        signal.map((x) => x / 32_768),
      ),
    ).toBe(0);
  });

  it('comes back to full scale when a sender does', () => {
    const signal = new Float32Array(8 * rate);
    signal.set(withBurst(0, rate, 1e9).subarray(0, rate));
    signal.set(tone(440, rate, 7 * rate, 0.3), rate);
    const { out } = guarded(signal);
    const end = out.subarray(-4 * rate);
    expect(largestDifference(end, signal.subarray(-4 * rate))).toBe(0);
  });
});
