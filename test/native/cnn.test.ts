import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { expectClose, forEachSet } from '../support/kernel-checks';
import { provideTestKernels } from '../support/test-engine';
import { referencePass } from '../support/reference-gradients';
import { addonBatch, addonCnn, cnnShapes, cnnWeights, noiseClips, type CnnSize } from '../support/native-cnn';

let addon: KernelsAddon;

beforeAll(async () => {
  addon = loadKernels(await provideTestKernels());
});

/**
 * Lengths around every rounding in the kernels: one token, odd rows, tiles begun and tiles full, a
 * second range.
 */
const lengths = [64, 77, 98, 129, 1000, 1535, 1536, 1537, 4999, 6150];

describe('the native cnn', () => {
  it.each(lengths)('gives the logits of double-precision loops: %i samples', (samples) => {
    const size: CnnSize = { samples, classes: 3 };
    const weights = cnnWeights(size, samples);
    const clips = noiseClips(size, 4, samples);
    const { logits } = referencePass(weights, clips, 3, 0);
    const [features] = addonBatch(clips);
    forEachSet(addon, (instructionSet) => {
      const cnn = addonCnn(addon, size, weights, { instructionSet });
      expectClose(cnn.logits(features, 4), logits.flat(), 1e-5);
      // One clip alone takes another way through the linear layer.
      expectClose(cnn.logits(features.slice(0, samples), 1), logits[0]!, 1e-5);
      cnn.dispose();
    });
  });

  it.each([
    [64, 1],
    [98, 2],
    [129, 3],
    [1537, 5],
    [1000, 17],
    [4999, 1],
  ])('gives every gradient of double-precision loops: %i samples, %i clips', (samples, count) => {
    const size: CnnSize = { samples, classes: 5 };
    const weights = cnnWeights(size, samples);
    const clips = noiseClips(size, count, samples + 1);
    const expected = referencePass(weights, clips, 5, 0.25);
    forEachSet(addon, (instructionSet) => {
      const cnn = addonCnn(addon, size, weights, { instructionSet, dropout: 0.25 });
      const { loss, gradients } = cnn.gradients(...addonBatch(clips));
      expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-5);
      Object.keys(cnnShapes(size)).forEach((name, index) => {
        expectClose(gradients[index]!, expected.gradients[name]!, 1e-4);
      });
      cnn.dispose();
    });
  });

  it.each([
    ['silence', () => 0],
    ['full scale', (i: number) => (i % 50 < 25 ? 1 : -1)],
    ['huge samples', (i: number) => 1e6 * Math.sin(i)],
    ['denormals', (i: number) => 1e-40 * Math.sin(i)],
    ['a single click', (i: number) => (i === 700 ? 1 : 0)],
  ])('keeps its precision on extreme input: %s', (_, sample) => {
    const size: CnnSize = { samples: 1537, classes: 4 };
    const weights = cnnWeights(size, 9);
    const [clip] = noiseClips(size, 1, 9);
    const clips = [{ ...clip!, samples: Float32Array.from({ length: 1537 }, (_value, i) => sample(i)) }];
    const expected = referencePass(weights, clips, 4, 0);
    const batch = addonBatch(clips);
    forEachSet(addon, (instructionSet) => {
      const cnn = addonCnn(addon, size, weights, { instructionSet });
      expectClose(cnn.logits(batch[0], 1), expected.logits[0]!, 1e-4);
      const { gradients } = cnn.gradients(...batch);
      expectClose(gradients[8]!, expected.gradients['dense2/kernel']!, 1e-3);
      expectClose(gradients[6]!, expected.gradients['dense1/kernel']!, 1e-3);
      cnn.dispose();
    });
  });

  it('gives the same bits on one, two and three threads', () => {
    const size: CnnSize = { samples: 12_000, classes: 4 };
    const weights = cnnWeights(size, 21);
    const clips = noiseClips(size, 5, 22);
    const zeros = Object.values(cnnShapes(size)).map((length) => new Float32Array(length));
    forEachSet(addon, (instructionSet) => {
      const outcomes = [1, 2, 3].map((threads) => {
        const cnn = addonCnn(addon, size, weights, { instructionSet, threads, dropout: 0.1 });
        cnn.setMoments(zeros, zeros);
        const batch = addonBatch(clips);
        const logits = cnn.logits(batch[0], 5);
        const losses = [1, 2, 3].map((step) => cnn.step(...batch, 0.01, step).loss);
        const arrays = [logits, Float64Array.from(losses), ...cnn.weights(), ...cnn.moments().flat()];
        cnn.dispose();
        return Buffer.concat(arrays.map((array) => Buffer.from(array.buffer)));
      });
      expect(outcomes[1]!.equals(outcomes[0]!)).toBe(true);
      expect(outcomes[2]!.equals(outcomes[0]!)).toBe(true);
    });
  });

  it('steps by the gradient that it reports, as Adam does', () => {
    const size: CnnSize = { samples: 1000, classes: 3 };
    const weights = cnnWeights(size, 4);
    const batch = addonBatch(noiseClips(size, 3, 5));
    const zeros = Object.values(cnnShapes(size)).map((length) => new Float32Array(length));
    forEachSet(addon, (instructionSet) => {
      const cnn = addonCnn(addon, size, weights, { instructionSet });
      cnn.setMoments(zeros, zeros);
      const state = Object.values(weights).map((tensor) => ({
        value: Float64Array.from(tensor),
        first: new Float64Array(tensor.length),
        second: new Float64Array(tensor.length),
      }));
      for (const step of [1, 2, 3]) {
        const { gradients } = cnn.gradients(...batch);
        cnn.step(...batch, 0.01, step);
        state.forEach(({ value, first, second }, index) => {
          gradients[index]!.forEach((gradient, i) => {
            first[i] = 0.9 * first[i]! + 0.1 * gradient;
            second[i] = 0.999 * second[i]! + 0.001 * gradient ** 2;
            const [mean, spread] = [first[i] / (1 - 0.9 ** step), second[i] / (1 - 0.999 ** step)];
            value[i]! -= (0.01 * mean) / (Math.sqrt(spread) + 1e-8);
          });
        });
      }
      cnn.weights().forEach((tensor, index) => {
        expectClose(tensor, state[index]!.value, 1e-5);
      });
      cnn.dispose();
    });
  });
});
