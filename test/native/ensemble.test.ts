import { logMelCrops } from '../../shared/front-end/log-mel';
import { melFrontEnd, type LogMelFrontEnd } from '../../shared/contracts/front-end';
import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { forEachSet } from '../support/kernel-checks';
import {
  addonEnsemble,
  ensembleClasses,
  ensembleWeights,
  fadingChirp,
  smallFrontEnd,
} from '../support/native-ensemble';
import { referenceCrops } from '../support/reference-front-end';
import { referenceMel, softmax } from '../support/reference-mel';
import { provideTestKernels } from '../support/test-engine';

let addon: KernelsAddon;

beforeAll(async () => {
  addon = loadKernels(await provideTestKernels());
});

/** Every crop of one window, one after the other. */
function nativeCrops(
  window: Float32Array,
  frontEnd: LogMelFrontEnd,
  instructionSet: string,
): { crops: Float32Array; count: number } {
  const ensemble = addonEnsemble(addon, { frontEnd, instructionSet });
  const { crops, counts } = ensemble.crops([window]);
  ensemble.dispose();
  return { crops, count: counts[0]! };
}

function expectCrops(window: Float32Array, frontEnd: LogMelFrontEnd): void {
  const expected = referenceCrops(window, frontEnd);
  const values = expected.flat();
  forEachSet(addon, (instructionSet) => {
    const { crops, count } = nativeCrops(window, frontEnd, instructionSet);
    expect([count, crops.length]).toEqual([expected.length, values.length]);
    const differences = values.map((value, i) => Math.abs(value - crops[i]!));
    expect(Math.max(...differences)).toBeLessThan(1e-5);
  });
}

describe('the native front end', () => {
  it.each([8000, 7919, 4000, 1000, 100, 1, 0, 9000])(
    "is the double-precision reference's within 1e-5 dB for a window of %i samples where a whole one has 8000",
    (length) => {
      expectCrops(fadingChirp(length, 8000), smallFrontEnd);
    },
  );

  it.each([16, 32, 64, 128, 512])('is it with frames of %i samples', (fftSamples) => {
    expectCrops(fadingChirp(2000, 8000), { ...smallFrontEnd, fftSamples, hopSamples: 77 });
  });

  it.each([
    ['silence', () => 0],
    ['denormals', (i: number) => 1e-40 * Math.sin(i)],
    ['whispers', (i: number) => 1e-6 * Math.sin(i)],
    ['huge values', (i: number) => 1e6 * Math.sin(i * i)],
    ['a click in silence', (i: number) => (i === 900 ? 1 : 0)],
    ['a quiet tone beside a loud one', (i: number) => Math.sin(i / 3) + 1e-4 * Math.sin(i)],
  ])('is it for %s', (_, value) => {
    expectCrops(
      Float32Array.from({ length: 2000 }, (_sample, i) => value(i)),
      smallFrontEnd,
    );
  });

  it("is TypeScript's within 2e-5 dB with mel's own figures, and leaves the same crops out", () => {
    const barks = new Float32Array(220_500);
    barks.set(fadingChirp(40_000, 44_100), 3000);
    for (const window of [fadingChirp(220_500, 44_100), fadingChirp(61_234, 44_100), barks]) {
      const expected = logMelCrops(window, melFrontEnd);
      forEachSet(addon, (instructionSet) => {
        const { crops, count } = nativeCrops(window, melFrontEnd, instructionSet);
        expect(count).toBe(expected.length);
        expected.forEach((crop, index) => {
          const ours = crops.subarray(index * crop.length, (index + 1) * crop.length);
          expect(crop.every((value, i) => Math.abs(value - ours[i]!) < 2e-5)).toBe(true);
        });
      });
    }
  });
});

describe('the native ensemble', () => {
  const windows = [8000, 3000, 8000, 1].map((length, seed) => fadingChirp(length, 8000, seed));

  it('gives the probabilities of the double-precision front end and networks within 1e-5', () => {
    const expected = ensembleWeights.flatMap((weights) =>
      windows.flatMap((window) => {
        const crops = referenceCrops(window, smallFrontEnd).map((crop) => Float64Array.from(crop));
        return referenceMel(weights, crops, false).flatMap((row) => [...softmax(row)]);
      }),
    );
    forEachSet(addon, (instructionSet) => {
      const ensemble = addonEnsemble(addon, { instructionSet });
      const { logits, counts } = ensemble.logits(windows);
      expect(logits).toHaveLength(expected.length);
      expect(counts.reduce((sum, count) => sum + count, 0) * 2 * ensembleClasses).toBe(logits.length);
      for (let at = 0; at < logits.length; at += ensembleClasses) {
        softmax([...logits.subarray(at, at + ensembleClasses)]).forEach((probability, index) => {
          expect(Math.abs(probability - expected[at + index]!)).toBeLessThan(1e-5);
        });
      }
      ensemble.dispose();
    });
  });

  it('gives the same bits on any number of threads, and alone as in company', () => {
    forEachSet(addon, (instructionSet) => {
      const outcomes = [1, 2, 3, 7].map((threads) => {
        const ensemble = addonEnsemble(addon, { instructionSet, threads });
        const { logits, counts } = ensemble.logits(windows);
        const alone = ensemble.logits([windows[0]!]);
        const crops = counts.reduce((sum, count) => sum + count, 0);
        const perMember = counts[0]! * ensembleClasses;
        for (const member of [0, 1]) {
          const first = member * crops * ensembleClasses;
          expect(alone.logits.slice(member * perMember, (member + 1) * perMember)).toEqual(
            logits.slice(first, first + perMember),
          );
        }
        ensemble.dispose();
        return logits;
      });
      for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
    });
  });
});
