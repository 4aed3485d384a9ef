import { createResampler, resample } from '../../shared/signal/resample';
import { naiveSample, whiteNoise as noise } from '../support/reference-resampler';
import { largestDifference, randomNumbers, signalToErrorDb, swell, tone } from '../support/signals';

/** Root mean square over the middle, away from the ends where the tone begins and stops. */
function middleLevel(samples: Float32Array): number {
  const middle = samples.subarray(Math.floor(samples.length / 4), Math.floor((samples.length * 3) / 4));
  return Math.sqrt(middle.reduce((sum, x) => sum + x * x, 0) / middle.length);
}

const decibels = (ratio: number): number => 20 * Math.log10(ratio);

const pairs: readonly (readonly [number, number])[] = [
  [44_100, 16_000],
  [48_000, 16_000],
  [22_050, 16_000],
  [11_025, 16_000],
  [8_000, 16_000],
  [4_000, 16_000],
  [32_000, 16_000],
  [96_000, 16_000],
  [384_000, 16_000],
  [44_100, 16_001],
  [44_101, 16_000],
  [16_000, 44_100],
  [383_999, 16_000],
];

describe('resample', () => {
  for (const [fromHz, toHz] of pairs) {
    it(`agrees with the filter’s definition in double precision, ${fromHz} to ${toHz} Hz`, () => {
      const samples = noise(Math.ceil(fromHz * 0.05), 1);
      const got = resample(samples, fromHz, toHz);
      const random = randomNumbers(2);
      for (let trial = 0; trial < 12; trial += 1) {
        const k = trial < 2 ? trial * (got.length - 1) : Math.floor(random() * got.length);
        expect(Math.abs(got[k]! - naiveSample(samples, fromHz, toHz, k))).toBeLessThan(5e-6);
      }
    });

    it(`gives the sound as it would have been sampled, ${fromHz} to ${toHz} Hz`, () => {
      const low = Math.min(fromHz, toHz) < 8_000;
      const [got, wanted] = low
        ? [resample(tone(500, fromHz, fromHz), fromHz, toHz), tone(500, toHz, toHz)]
        : [resample(swell(0.5, fromHz), fromHz, toHz), swell(0.5, toHz)];
      expect(Math.abs(got.length - wanted.length)).toBeLessThanOrEqual(1);
      const skip = low ? Math.floor(got.length / 4) : 0;
      expect(
        signalToErrorDb(got.subarray(skip, got.length - skip), wanted.subarray(skip, wanted.length - skip)),
      ).toBeGreaterThan(100);
    });
  }

  it('lets nothing above 8 kHz through: every tone is at least 100 dB down', () => {
    let worst = -Infinity;
    for (const fromHz of [44_100, 48_000, 44_101]) {
      for (let hertz = 8_000; hertz < fromHz / 2; hertz = Math.max(hertz + 50, hertz * 1.08)) {
        const level = middleLevel(resample(tone(hertz, fromHz, fromHz, 1), fromHz, 16_000));
        worst = Math.max(worst, decibels(level * Math.SQRT2));
      }
    }
    expect(worst).toBeLessThan(-100);
  });

  it('is flat within 0.01 dB up to 0.9 of the lower Nyquist frequency', () => {
    for (const [fromHz, toHz] of [
      [44_100, 16_000],
      [48_000, 16_000],
      [8_000, 16_000],
      [44_101, 16_000],
    ] as const) {
      const edge = 0.9 * 0.5 * Math.min(fromHz, toHz);
      for (let step = 1; step <= 12; step += 1) {
        const hertz = Math.round((edge * step) / 12 / 20) * 20;
        const level = middleLevel(resample(tone(hertz, fromHz, fromHz, 1), fromHz, toHz));
        expect(Math.abs(decibels(level * Math.SQRT2))).toBeLessThan(0.01);
      }
    }
  });

  it('keeps a constant constant', () => {
    const got = resample(new Float32Array(44_100).fill(0.25), 44_100, 16_000);
    expect(largestDifference(got.subarray(200, 15_800), new Float32Array(15_600).fill(0.25))).toBeLessThan(
      1e-6,
    );
  });

  for (const [samples, fromHz, toHz, wanted] of [
    [220_500, 44_100, 16_000, 80_000],
    [220_544, 44_100, 16_000, 80_016],
    [1, 44_100, 16_000, 0],
    [2, 44_100, 16_000, 1],
    [1, 8_000, 16_000, 2],
    [0, 8_000, 16_000, 0],
  ] as const) {
    it(`makes ${wanted} samples at ${toHz} Hz of ${samples} at ${fromHz} Hz`, () => {
      expect(resample(new Float32Array(samples), fromHz, toHz)).toHaveLength(wanted);
    });
  }

  it('passes samples through at equal rates', () => {
    const samples = noise(1_000, 3);
    expect(largestDifference(resample(samples, 16_000, 16_000), samples)).toBe(0);
  });

  for (const rate of [0, -1, 1.5, NaN]) {
    it(`refuses a rate of ${rate}`, () => {
      expect(() => resample(new Float32Array(1), rate, 16_000)).toThrow(`whole Hz, got ${rate}`);
    });
  }
});

describe('createResampler', () => {
  for (const [fromHz, toHz] of [
    [44_100, 16_000],
    [48_000, 16_000],
    [8_000, 16_000],
    [44_100, 16_001],
    [384_000, 16_000],
    [16_000, 16_000],
  ] as const) {
    it(`gives bit for bit the same in any chunks, ${fromHz} to ${toHz} Hz`, () => {
      const samples = noise(fromHz === 384_000 ? 40_000 : 12_345, 5);
      const whole = resample(samples, fromHz, toHz);
      const random = randomNumbers(7);
      for (const largest of [1, 160, 4_000]) {
        const resampler = createResampler(fromHz, toHz);
        const got: number[] = [];
        for (let at = 0; at < samples.length;) {
          const size = Math.floor(random() * (largest + 1)); // empty chunks too
          got.push(...resampler.push(samples.subarray(at, at + Math.max(size, largest === 1 ? 1 : 0))));
          at += Math.max(size, largest === 1 ? 1 : 0);
        }
        got.push(...resampler.finish());
        expect(largestDifference(got, whole)).toBe(0);
      }
    });
  }

  it('gives samples as soon as their last tap is in: a delay of about 4.5 ms at 16 kHz', () => {
    const given = createResampler(48_000, 16_000).push(new Float32Array(48_000)).length;
    expect(given).toBeGreaterThan(16_000 - 80);
    expect(given).toBeLessThan(16_000);
  });

  it('keeps two streams of the same rates apart', () => {
    const [a, b] = [noise(3_000, 8), noise(3_000, 9)];
    const [first, second] = [createResampler(48_000, 16_000), createResampler(48_000, 16_000)];
    const gotA: number[] = [];
    const gotB: number[] = [];
    for (let at = 0; at < 3_000; at += 500) {
      gotA.push(...first.push(a.subarray(at, at + 500)));
      gotB.push(...second.push(b.subarray(at, at + 500)));
    }
    gotA.push(...first.finish());
    gotB.push(...second.finish());
    expect(largestDifference(gotA, resample(a, 48_000, 16_000))).toBe(0);
    expect(largestDifference(gotB, resample(b, 48_000, 16_000))).toBe(0);
  });
});
