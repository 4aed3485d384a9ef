import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { createUniform } from '../../shared/runtime/random';
import { toHalf } from '../../shared/registry/half-precision';
import { addonCnn, cnnWeights, relativeError } from '../support/native-cnn';
import { referencePass, tokenCount } from '../support/reference-gradients';
import { provideTestKernels } from '../support/test-engine';

/** Five frames a window: small, and every frame has neighbours. */
const frameSamples = 1024;
const frames = 5;
const size = { samples: frames * frameSamples, classes: 3 };
const weights = cnnWeights(size, 1);
let addon: KernelsAddon;

beforeAll(async () => {
  addon = loadKernels(await provideTestKernels());
});

/** A recording's frames, of which a window at hop 1 takes five neighbours. */
function recording(count: number, seed: number): Float32Array[] {
  const uniform = createUniform(seed);
  return Array.from({ length: count }, () =>
    Float32Array.from({ length: frameSamples }, () => 2 * uniform() - 1),
  );
}

function windowAt(recorded: readonly Float32Array[], start: number): Float32Array {
  const joined = new Float32Array(size.samples);
  recorded.slice(start, start + frames).forEach((frame, index) => {
    joined.set(frame, index * frameSamples);
  });
  return joined;
}

/** Each value as the nearest half-precision float, of those that are finite. */
function roundedToHalf(values: Float32Array): Float32Array {
  return Float32Array.from(toHalf(values), (bits) => {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  });
}

describe('the cache of frames', () => {
  it('changes no bit of the answers, window after window, also when it is far too small', () => {
    const [first, second] = [recording(14, 1), recording(14, 2)];
    const plain = addonCnn(addon, size, weights);
    for (const cachedFrames of [1, 7, 64]) {
      const cached = addonCnn(addon, size, weights, { cachedFrames, frameSamples });
      for (let start = 0; start < 9; start++) {
        // Two streams take turns.
        for (const recorded of [first, second]) {
          const window = windowAt(recorded, start);
          expect(cached.logits(window, 1)).toEqual(plain.logits(window, 1));
        }
      }
    }
  });

  it('changes no bit where a frame comes behind another frame than before', () => {
    const [recorded, others] = [recording(5, 8), recording(5, 9)];
    const cached = addonCnn(addon, size, weights, { cachedFrames: 64, frameSamples });
    const plain = addonCnn(addon, size, weights);
    for (const order of [recorded, others, recorded].map((first, turn) => [
      ...first.slice(turn),
      ...others,
    ])) {
      for (let start = 0; start < 3; start++) {
        const window = windowAt(order, start);
        expect(cached.logits(window, 1)).toEqual(plain.logits(window, 1));
      }
    }
  });

  it('changes no bit in a batch whose windows overlap', () => {
    const recorded = recording(9, 3);
    const batch = new Float32Array(5 * size.samples);
    for (let start = 0; start < 5; start++) batch.set(windowAt(recorded, start), start * size.samples);
    const cached = addonCnn(addon, size, weights, { cachedFrames: 64, frameSamples });
    const expected = addonCnn(addon, size, weights).logits(batch, 5);
    expect(cached.logits(batch, 5)).toEqual(expected);
    expect(cached.logits(batch, 5)).toEqual(expected);
  });

  it('answers as double-precision loops do when the weights are halves, which are then read as such', () => {
    // The linear layer's from 2⁻²⁴, the smallest subnormal half, to 65,504, the largest: of a published
    // network all are halves.
    const scales = [2 ** -24, 2 ** -14, 0.01, 1, 65_504];
    for (const instructionSet of addon.instructionSets()) {
      for (const scale of scales) {
        // Uniform up to the scale; without biases, which would drown the smallest.
        const factors: Record<string, number> = {
          'dense1/kernel': scale * Math.sqrt(16 * tokenCount(size.samples)),
          'dense1/bias': 0,
          'dense2/bias': 0,
        };
        const scaled = Object.entries(cnnWeights(size, 6)).map(([name, values]) => {
          return [name, roundedToHalf(values.map((value) => value * (factors[name] ?? 1)))] as const;
        });
        const halves: Record<string, Float32Array> = Object.fromEntries(scaled);
        const cached = addonCnn(addon, size, halves, { cachedFrames: 8, frameSamples, instructionSet });
        const samples = windowAt(recording(5, 7), 0);
        const { logits } = referencePass(halves, [{ samples, label: 0, slot: 0, seeds: {} }], 3, 0);
        expect(relativeError(cached.logits(samples, 1), logits[0]!)).toBeLessThan(1e-5);
        cached.dispose();
      }
    }
  });

  it('tells frames apart that differ in one sample', () => {
    const recorded = recording(5, 4);
    const cached = addonCnn(addon, size, weights, { cachedFrames: 64, frameSamples });
    const window = windowAt(recorded, 0);
    const before = cached.logits(window, 1);
    window[2 * frameSamples + 500]! += 0.5;
    const after = cached.logits(window, 1);
    expect(after).not.toEqual(before);
    expect(after).toEqual(addonCnn(addon, size, weights).logits(window, 1));
  });

  it('forgets what other weights made of a frame', () => {
    const window = windowAt(recording(5, 5), 0);
    const others = cnnWeights(size, 2);
    const cached = addonCnn(addon, size, weights, { cachedFrames: 64, frameSamples });
    cached.logits(window, 1);
    cached.setWeights(Object.values(others));
    expect(cached.logits(window, 1)).toEqual(addonCnn(addon, size, others).logits(window, 1));
  });
});
