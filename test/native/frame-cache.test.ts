import { loadKernels, type KernelsAddon } from '../../shared/engine/native-network';
import { createUniform } from '../../shared/network/random';
import { addonCnn, cnnWeights } from '../support/native-cnn';
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

  it('changes no bit in a batch whose windows overlap', () => {
    const recorded = recording(9, 3);
    const batch = new Float32Array(5 * size.samples);
    for (let start = 0; start < 5; start++) batch.set(windowAt(recorded, start), start * size.samples);
    const cached = addonCnn(addon, size, weights, { cachedFrames: 64, frameSamples });
    const expected = addonCnn(addon, size, weights).logits(batch, 5);
    expect(cached.logits(batch, 5)).toEqual(expected);
    expect(cached.logits(batch, 5)).toEqual(expected);
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
