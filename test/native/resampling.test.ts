import { createResampler, resample } from '../../shared/signal/resample';
import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { nativeResampling } from '../../shared/compute/kernels/native-resampling';
import { forEachSet } from '../support/kernel-checks';
import { naiveSample, whiteNoise } from '../support/reference-resampler';
import { largestDifference, randomNumbers } from '../support/signals';
import { provideTestKernels } from '../support/test-engine';

let path: string;
let addon: KernelsAddon;

beforeAll(async () => {
  path = await provideTestKernels();
  addon = loadKernels(path);
});

/** One phase, a few, as many as lanes and a few more, and a filter that is left to WebAssembly. */
const pairs: readonly (readonly [number, number])[] = [
  [44_100, 16_000],
  [48_000, 16_000],
  [32_000, 16_000],
  [22_050, 16_000],
  [8_000, 16_000],
  [4_000, 16_000],
  [384_000, 16_000],
  [16_000, 44_100],
  [48_000, 44_100],
  [44_100, 16_001],
];

describe('resampling on the native kernels', () => {
  it.each(pairs)(
    'is the filter of its definition in double precision, and WebAssembly’s: %i to %i Hz',
    (fromHz, toHz) => {
      const samples = whiteNoise(Math.ceil(fromHz * 0.05) + 7, 1);
      const portable = resample(samples, fromHz, toHz);
      const random = randomNumbers(2);
      const places = [0, portable.length - 1, ...Array.from({ length: 4 }, () => random() * portable.length)];
      const expected = places.map((place): [number, number] => {
        const k = Math.floor(place);
        return [k, naiveSample(samples, fromHz, toHz, k)];
      });
      forEachSet(addon, (instructionSet) => {
        const got = resample(samples, fromHz, toHz, nativeResampling({ path, instructionSet }));
        expect(got).toHaveLength(portable.length);
        expect(largestDifference(got, portable)).toBeLessThan(1e-6);
        for (const [k, value] of expected) expect(Math.abs(got[k]! - value)).toBeLessThan(5e-6);
      });
    },
  );

  it.each(pairs)('gives bit for bit the same in any chunks: %i to %i Hz', (fromHz, toHz) => {
    const samples = whiteNoise(fromHz === 384_000 ? 30_000 : 9_876, 5);
    forEachSet(addon, (instructionSet) => {
      const arithmetic = nativeResampling({ path, instructionSet });
      const whole = resample(samples, fromHz, toHz, arithmetic);
      const random = randomNumbers(7);
      for (const largest of [13, 160, 4_000]) {
        const resampler = createResampler(fromHz, toHz, arithmetic);
        const got: number[] = [];
        for (let at = 0, size = 0; at < samples.length; at += size) {
          size = Math.floor(random() * (largest + 1)); // empty chunks too
          got.push(...resampler.push(samples.subarray(at, at + size)));
        }
        got.push(...resampler.finish());
        expect(largestDifference(got, whole)).toBe(0);
      }
    });
  });

  it.each([0, 1, 2, 3])('takes a signal of %i samples', (length) => {
    const samples = whiteNoise(length, 3);
    const got = resample(samples, 44_100, 16_000, nativeResampling({ path, instructionSet: 'baseline' }));
    expect(largestDifference(got, resample(samples, 44_100, 16_000))).toBeLessThan(1e-6);
  });
});
