import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { createSmallNetwork } from '../../shared/compute/network/small-network';
import {
  addonLesson,
  addonSmall,
  smallLesson,
  smallSizes,
  smallWeights,
  taughtFeatures,
  type SmallName,
} from '../support/native-small';
import { referenceSmall } from '../support/reference-small';
import { referenceSmallPass } from '../support/reference-small-gradients';
import { expectClose, forEachSet } from '../support/kernel-checks';
import { provideTestKernels } from '../support/test-engine';

let addon: KernelsAddon;

beforeAll(async () => {
  addon = loadKernels(await provideTestKernels());
});

const outputs = 5;

function zerosOf(weights: Readonly<Record<string, Float32Array>>): Float32Array[] {
  return Object.values(weights).map(({ length }) => new Float32Array(length));
}

/** One frame left, odd rows that pools leave out, tiles of frames begun and full. */
const sizes: readonly [SmallName, number, number][] = [
  ['narrow', 15, 1],
  ['narrow', 23, 4],
  ['narrow', 37, 5],
  ['narrow', 128, 2],
  ['wide', 16, 9],
  ['wide', 49, 2],
];

describe('the native small network', () => {
  it.each(sizes)(
    'gives the logits of double-precision loops: %s, %i frames, %i clips',
    (name, frames, clips) => {
      const weights = smallWeights(name, outputs, frames);
      const { pictures } = smallLesson(clips, frames, outputs, frames);
      const near = pictures.map((picture) => picture.map((value) => value / 30));
      const expected = referenceSmall(weights, near);
      const features = Float32Array.from(near.flatMap((picture) => Array.from(picture)));
      forEachSet(addon, (instructionSet) => {
        const student = addonSmall(addon, name, outputs, weights, { instructionSet });
        expectClose(student.logits(features, clips), expected.flat(), 1e-4);
        expectClose(student.logits(features.slice(0, frames * 64), 1), expected[0]!, 1e-4);
        student.dispose();
      });
    },
  );

  it.each(sizes)(
    'gives every gradient of double-precision loops: %s, %i frames, %i clips',
    (name, frames, clips) => {
      const weights = smallWeights(name, outputs, frames + 1);
      const given = smallLesson(clips, frames, outputs, frames + 2);
      const expected = referenceSmallPass(weights, given.pictures, given.targets, taughtFeatures);
      const lesson = addonLesson(given);
      const { parameters } = createSmallNetwork(smallSizes[name], outputs);
      forEachSet(addon, (instructionSet) => {
        const student = addonSmall(addon, name, outputs, weights, { instructionSet });
        const { loss, gradients } = student.gradients(...lesson);
        expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-5);
        parameters.forEach((parameter, index) => {
          const gradient = expected.gradients[parameter.name];
          expect(gradient === undefined).toBe(!parameter.trainable);
          if (gradient !== undefined) expectClose(gradients[index]!, gradient, 1e-3);
        });
        student.dispose();
      });
    },
  );

  it.each([
    ['silence', () => -80],
    ['zeros', () => 0],
    ['huge values', (i: number) => 1e4 * Math.sin(i)],
    ['denormals', (i: number) => 1e-40 * Math.sin(i)],
    ['one loud cell', (i: number) => (i === 700 ? 0 : -80)],
  ])('keeps its precision on extreme input: %s', (_, value) => {
    const weights = smallWeights('narrow', outputs, 9);
    const given = smallLesson(1, 32, outputs, 9);
    const pictures = [given.pictures[0]!.map((_value, i) => value(i))];
    const lesson = addonLesson({ ...given, pictures });
    const logits = referenceSmall(weights, pictures).flat();
    const { loss } = referenceSmallPass(weights, pictures, given.targets, taughtFeatures);
    forEachSet(addon, (instructionSet) => {
      const student = addonSmall(addon, 'narrow', outputs, weights, { instructionSet });
      expectClose(student.logits(lesson[0], 1), logits, 1e-4);
      const pass = student.gradients(...lesson);
      expect(Math.abs(pass.loss / loss - 1)).toBeLessThan(1e-3);
      for (const gradient of pass.gradients) expect(gradient.every(Number.isFinite)).toBe(true);
      student.dispose();
    });
  });

  it('takes any finite feature and only probabilities of tags', () => {
    const student = addonSmall(addon, 'narrow', outputs, smallWeights('narrow', outputs, 1));
    const [features, , masks] = addonLesson(smallLesson(1, 15, outputs, 1));
    const lossOf = (at: number, value: number): number => {
      const targets = new Float32Array(outputs).fill(0.5);
      targets[at] = value;
      return student.gradients(features, targets, masks).loss;
    };
    expect(lossOf(taughtFeatures - 1, -40)).toBeGreaterThan(100);
    expect(() => lossOf(taughtFeatures - 1, NaN)).toThrow(`at ${taughtFeatures - 1} is not finite`);
    expect(() => lossOf(taughtFeatures, -0.1)).toThrow(`at ${taughtFeatures} is not a probability`);
    expect(() => addonSmall(addon, 'narrow', outputs, {}, { features: outputs })).toThrow('features');
    student.dispose();
  });

  it('gives the same bits on one, two and three threads', () => {
    const weights = smallWeights('wide', outputs, 21);
    const lesson = addonLesson(smallLesson(10, 24, outputs, 22));
    forEachSet(addon, (instructionSet) => {
      const outcomes = [1, 2, 3].map((threads) => {
        const student = addonSmall(addon, 'wide', outputs, weights, { instructionSet, threads });
        student.setMoments(zerosOf(weights), zerosOf(weights));
        student.setAverages(Object.values(weights));
        const losses = [1, 2].map((step) => student.step(...lesson, 0.01, step).loss);
        const state = [...student.weights(), ...student.moments().flat(), ...student.averages()];
        const arrays = [student.logits(lesson[0], 10), Float64Array.from(losses), ...state];
        student.dispose();
        return Buffer.concat(arrays.map((array) => Buffer.from(array.buffer)));
      });
      expect(outcomes[1]!.equals(outcomes[0]!)).toBe(true);
      expect(outcomes[2]!.equals(outcomes[0]!)).toBe(true);
    });
  });

  it('gives the same bits whatever batches and lengths came before', () => {
    const weights = smallWeights('narrow', outputs, 5);
    const lesson = addonLesson(smallLesson(6, 24, outputs, 6));
    const other = addonLesson(smallLesson(11, 40, outputs, 7));
    const fresh = addonSmall(addon, 'narrow', outputs, weights);
    const used = addonSmall(addon, 'narrow', outputs, weights);
    used.gradients(...other);
    used.logits(other[0], 11);
    expect(used.gradients(...lesson)).toEqual(fresh.gradients(...lesson));
    expect(used.logits(lesson[0], 6)).toEqual(fresh.logits(lesson[0], 6));
    fresh.dispose();
    used.dispose();
  });

  it('steps by the gradient that it reports as AdamW does, and keeps running statistics and means', () => {
    const weights = smallWeights('narrow', outputs, 4);
    const given = smallLesson(3, 20, outputs, 5);
    const lesson = addonLesson(given);
    const names = Object.keys(weights);
    forEachSet(addon, (instructionSet) => {
      const student = addonSmall(addon, 'narrow', outputs, weights, { instructionSet });
      student.setMoments(zerosOf(weights), zerosOf(weights));
      student.setAverages(Object.values(weights));
      const state = Object.values(weights).map((tensor) => ({
        value: Float64Array.from(tensor),
        first: new Float64Array(tensor.length),
        second: new Float64Array(tensor.length),
        mean: Float64Array.from(tensor),
      }));
      for (const step of [1, 2, 3]) {
        const now = Object.fromEntries(student.weights().map((tensor, index) => [names[index]!, tensor]));
        const { statistics } = referenceSmallPass(now, given.pictures, given.targets, taughtFeatures);
        const { gradients } = student.gradients(...lesson);
        student.step(...lesson, 0.01, step);
        state.forEach(({ value, first, second, mean }, index) => {
          const name = names[index]!;
          const kept = name.endsWith('kernel') ? 1 - 0.01 * 0.02 : 1;
          value.forEach((before, i) => {
            const gradient = gradients[index]![i]!;
            first[i] = 0.9 * first[i]! + 0.1 * gradient;
            second[i] = 0.99 * second[i]! + 0.01 * gradient ** 2;
            const change = first[i] / (1 - 0.9 ** step) / (Math.sqrt(second[i] / (1 - 0.99 ** step)) + 1e-8);
            value[i] =
              name in statistics ? 0.9 * before + 0.1 * statistics[name]![i]! : before * kept - 0.01 * change;
            const decay = Math.min(0.995, step / (step + 9));
            mean[i] = mean[i]! * decay + value[i] * (1 - decay);
          });
        });
      }
      const [values, averages] = [student.weights(), student.averages()];
      state.forEach(({ value, mean }, index) => {
        expectClose(values[index]!, value, 1e-4);
        expectClose(averages[index]!, mean, 1e-4);
      });
      student.dispose();
    });
  });

  it('judges by the running means once it keeps them', () => {
    const [weights, means] = [1, 2].map((seed) => smallWeights('narrow', outputs, seed));
    const [pictures] = addonLesson(smallLesson(2, 24, outputs, 3));
    const student = addonSmall(addon, 'narrow', outputs, weights!);
    const other = addonSmall(addon, 'narrow', outputs, means!);
    expect(student.logits(pictures, 2)).not.toEqual(other.logits(pictures, 2));
    student.setAverages(Object.values(means!));
    expect(student.logits(pictures, 2)).toEqual(other.logits(pictures, 2));
    student.dispose();
    other.dispose();
  });
});
