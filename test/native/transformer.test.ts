import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { dropoutPlaces } from '../../shared/compute/kernels/native-network';
import { addonBatch, noiseClips } from '../support/native-cnn';
import {
  addonTransformer,
  transformerHead,
  transformerWeights,
  type TransformerSize,
} from '../support/native-transformer';
import { referencePass, tokenCount, type ReferenceClip } from '../support/reference-gradients';
import { expectClose, forEachSet } from '../support/kernel-checks';
import { provideTestKernels } from '../support/test-engine';

type Tensors = Record<string, Float32Array>;
const allHeads = [1, 2, 4] as const;
/** Below it the kernels, as TensorFlow, count with 0. */
const leastNormal = 2 ** -126;
let addon: KernelsAddon;

beforeAll(async () => {
  addon = loadKernels(await provideTestKernels());
});

/** Logits and every gradient against double precision, on every instruction set. */
function expectExact(
  size: TransformerSize,
  weights: Tensors,
  clips: ReferenceClip[],
  { rate = 0, forward = 1e-5, backward = 1e-4 }: { rate?: number; forward?: number; backward?: number } = {},
): void {
  const still = referencePass(weights, clips, size.classes, 0, transformerHead(size.heads, 0));
  // The rate holds in the encoder block alone: the trunk of this network has no dropout.
  const training = referencePass(weights, clips, size.classes, 0, transformerHead(size.heads, rate));
  const batch = addonBatch(clips, dropoutPlaces.transformer);
  const steepest = Math.max(
    ...Object.values(training.gradients).flatMap((tensor) => [...tensor.map(Math.abs)]),
  );
  forEachSet(addon, (instructionSet) => {
    const transformer = addonTransformer(addon, { ...size, instructionSet }, weights, { dropout: rate });
    expectClose(transformer.logits(batch[0], clips.length), still.logits.flat(), forward);
    const { loss, gradients } = transformer.gradients(...batch);
    expect(Math.abs(loss - training.loss)).toBeLessThan(forward * Math.max(1, training.loss));
    Object.keys(weights).forEach((name, index) => {
      const expected = training.gradients[name]!;
      // A softmax does not see its keys' bias: the true gradient is 0, and double precision leaves
      // rounding.
      if (name.endsWith('key/bias')) {
        expect(Math.max(...expected.map(Math.abs))).toBeLessThan(1e-9 * Math.max(1, steepest));
        expect(gradients[index]!.every((value) => value === 0)).toBe(true);
      } else if (expected.every((value) => Math.abs(value) < leastNormal)) {
        expect(Math.max(...gradients[index]!.map(Math.abs))).toBeLessThan(leastNormal);
      } else expectClose(gradients[index]!, expected, backward);
    });
    transformer.dispose();
  });
}

function scaled(weights: Tensors, factors: Record<string, number>): Tensors {
  return Object.fromEntries(
    Object.entries(weights).map(([name, tensor]) => {
      const ending = Object.keys(factors).find((key) => name.endsWith(key));
      return [name, ending === undefined ? tensor : tensor.map((value) => value * factors[ending]!)];
    }),
  );
}

describe('the native transformer', () => {
  // One token beside the class token, vectors begun and vectors full, for 4, 8 and 16 lanes; more than
  // one block of queries of the backward pass.
  it.each([
    [64, 1],
    [130, 2],
    [450, 3],
    [898, 2],
    [960, 2],
    [1028, 9],
    [4620, 1],
  ])('gives logits and gradients of double-precision loops: %i samples, %i clips', (samples, count) => {
    for (const heads of allHeads) {
      const size = { samples, classes: 5, heads, hidden: 37 };
      expectExact(size, transformerWeights(size, 5, samples), noiseClips(size, count, samples), {
        rate: 0.2,
      });
    }
  });

  it('has token counts around the widest vector among those', () => {
    expect([64, 130, 450, 898, 960, 1028, 4620].map((samples) => tokenCount(samples) + 1)).toEqual([
      2, 3, 8, 15, 16, 17, 73,
    ]);
  });

  it.each([
    ['silence', () => 0],
    ['full scale', (i: number) => (i % 50 < 25 ? 1 : -1)],
    ['denormals', (i: number) => 1e-40 * Math.sin(i)],
    ['a single click', (i: number) => (i === 700 ? 1 : 0)],
  ])('keeps its precision on extreme input: %s', (_, sample) => {
    const size = { samples: 1537, classes: 4, heads: 4, hidden: 16 } as const;
    const [clip] = noiseClips(size, 1, 9);
    const samples = Float32Array.from({ length: 1537 }, (_value, i) => sample(i));
    expectExact(size, transformerWeights(size, 4, 9), [{ ...clip!, samples }], {
      forward: 1e-4,
      backward: 1e-3,
    });
  });

  // The greatest score lies so far below what the keys' ranges allow that no power of two below that
  // bound is left.
  it.each(allHeads)('follows scores whose bound is loose, with %i heads', (heads) => {
    const size = { samples: 2200, classes: 4, heads, hidden: 16 };
    const weights = scaled(transformerWeights(size, 4, 5), { 'query/kernel': 10, 'key/kernel': 8 });
    expectExact(size, weights, noiseClips(size, 2, 3), { forward: 1e-4, backward: 1e-3 });
  });

  it.each(allHeads)(
    'answers samples a million times too loud as double precision does, with %i heads',
    (heads) => {
      const size = { samples: 1537, classes: 4, heads, hidden: 16 };
      const weights = transformerWeights(size, 4, 9);
      const [clip] = noiseClips(size, 1, 9);
      const clips = [{ ...clip!, samples: Float32Array.from({ length: 1537 }, (_, i) => 1e6 * Math.sin(i)) }];
      const expected = referencePass(weights, clips, 4, 0, transformerHead(heads, 0));
      const batch = addonBatch(clips, dropoutPlaces.transformer);
      forEachSet(addon, (instructionSet) => {
        const transformer = addonTransformer(addon, { ...size, instructionSet }, weights);
        expectClose(transformer.logits(batch[0], 1), expected.logits[0]!, 1e-4);
        // Scores of 10¹⁰ leave a gradient no correct digit, but a number.
        expect(
          transformer
            .gradients(...batch)
            .gradients.flatMap((tensor) => [...tensor])
            .every(Number.isFinite),
        ).toBe(true);
        transformer.dispose();
      });
    },
  );

  it.each(allHeads)('picks the right token by logits of ±10,000, with %i heads', (heads) => {
    const size = { samples: 2200, classes: 4, heads, hidden: 16 };
    const weights = scaled(transformerWeights(size, 4, 6), { 'query/kernel': 300, 'key/kernel': 150 });
    const clips = noiseClips(size, 2, 3);
    const expected = referencePass(weights, clips, 4, 0, transformerHead(heads, 0));
    const [features] = addonBatch(clips);
    forEachSet(addon, (instructionSet) => {
      const transformer = addonTransformer(addon, { ...size, instructionSet }, weights);
      expectClose(transformer.logits(features, 2), expected.logits.flat(), 1e-4);
      transformer.dispose();
    });
  });

  it('lets a weight that is no number show in the logits, whichever it is', () => {
    const size = { samples: 1537, classes: 3, heads: 4, hidden: 8 } as const;
    const weights = transformerWeights(size, 3, 2);
    const [features] = addonBatch(noiseClips(size, 1, 1));
    forEachSet(addon, (instructionSet) => {
      const transformer = addonTransformer(addon, { ...size, instructionSet }, weights);
      for (const name of Object.keys(weights).filter((key) => !key.endsWith('key/bias'))) {
        const broken = { ...weights, [name]: Float32Array.from(weights[name]!).fill(NaN) };
        transformer.setWeights(Object.values(broken));
        const wrong = transformer.logits(features, 1).every(Number.isNaN);
        expect([name, wrong]).toEqual([name, true]);
      }
      transformer.dispose();
    });
  });

  it('gives the same bits on one, two and three threads, and for a clip alone', () => {
    const size = { samples: 6000, classes: 4, heads: 2, hidden: 32 } as const;
    const weights = transformerWeights(size, 4, 21);
    const clips = noiseClips(size, 11, 22);
    const zeros = Object.values(weights).map(({ length }) => new Float32Array(length));
    forEachSet(addon, (instructionSet) => {
      const outcomes = [1, 2, 3].map((threads) => {
        const options = { threads, dropout: 0.1 };
        const transformer = addonTransformer(addon, { ...size, instructionSet }, weights, options);
        transformer.setMoments(zeros, zeros);
        const batch = addonBatch(clips, dropoutPlaces.transformer);
        const logits = transformer.logits(batch[0], 11);
        const alone = transformer.logits(batch[0].slice(10 * 6000), 1);
        expect(alone).toEqual(logits.slice(40));
        const losses = [1, 2, 3].map((step) => transformer.step(...batch, 0.01, step).loss);
        const result = [logits, losses, ...transformer.weights(), ...transformer.moments().flat()];
        transformer.dispose();
        return result;
      });
      expect(outcomes[1]).toEqual(outcomes[0]);
      expect(outcomes[2]).toEqual(outcomes[0]);
    });
  });

  it('answers thousands of calls whose threads hardly begin before they end', () => {
    const size = { samples: 64, classes: 3, heads: 4, hidden: 1 } as const;
    const weights = transformerWeights(size, 3, 1);
    const [instructionSet] = addon.instructionSets();
    const transformer = addonTransformer(addon, { ...size, instructionSet: instructionSet! }, weights, {
      threads: 4,
    });
    const [features] = addonBatch(noiseClips(size, 5, 1));
    const expected = transformer.logits(features, 5);
    for (let call = 0; call < 5000; call++) transformer.logits(features, 5);
    expect(transformer.logits(features, 5)).toEqual(expected);
    transformer.dispose();
  });

  it('steps by the gradient that it reports', () => {
    const size = { samples: 1000, classes: 3, heads: 4, hidden: 8 } as const;
    const weights = transformerWeights(size, 3, 4);
    const batch = addonBatch(noiseClips(size, 3, 5), dropoutPlaces.transformer);
    const zeros = Object.values(weights).map(({ length }) => new Float32Array(length));
    const [instructionSet] = addon.instructionSets();
    const transformer = addonTransformer(addon, { ...size, instructionSet: instructionSet! }, weights);
    transformer.setMoments(zeros, zeros);
    const { gradients } = transformer.gradients(...batch);
    transformer.step(...batch, 0.01, 1);
    const [first] = transformer.moments();
    // After one step the first moment is a tenth of the gradient.
    gradients.forEach((gradient, index) => {
      expectClose(
        first[index]!.map((value) => value * 10),
        gradient,
        1e-6,
      );
    });
    transformer.dispose();
  });

  it.each([
    [{ heads: 3 }, 'heads'],
    [{ heads: 0 }, 'heads'],
    [{ heads: '4' }, 'heads'],
    [{ heads: undefined }, 'heads'],
    [{ hidden: 0 }, 'hidden'],
    [{ hidden: 8193 }, 'hidden'],
    [{ hidden: 1.5 }, 'hidden'],
    [{ samples: 63 }, 'samples'],
    [{ dropout: -0.1 }, 'dropout'],
  ])('refuses %j', (wrong, named) => {
    const options = { samples: 1000, classes: 3, heads: 4, hidden: 8, threads: 1, dropout: 0 };
    const loose = addon as unknown as { createTransformer(given: unknown): unknown };
    expect(() => loose.createTransformer({ ...options, instructionSet: 'baseline', ...wrong })).toThrow(
      named,
    );
  });
});
