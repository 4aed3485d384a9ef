import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import {
  addonMel,
  addonMelBatch,
  melBatch,
  melNetwork,
  melWeights,
  type MelArchitecture,
} from '../support/native-mel';
import { referenceMel } from '../support/reference-mel';
import { referenceMelPass } from '../support/reference-mel-gradients';
import { expectClose, forEachSet } from '../support/kernel-checks';
import { provideTestKernels } from '../support/test-engine';

let addon: KernelsAddon;

beforeAll(async () => {
  addon = loadKernels(await provideTestKernels());
});

const classes = 5;

function zerosOf(weights: Readonly<Record<string, Float32Array>>): Float32Array[] {
  return Object.values(weights).map(({ length }) => new Float32Array(length));
}

/** One frame left, odd rows that pools leave out, tiles of frames begun and full. */
const sizes: readonly [MelArchitecture, number, number][] = [
  ['mel-small', 15, 1],
  ['mel-small', 23, 4],
  ['mel-small', 37, 5],
  ['mel-small', 128, 2],
  ['mel', 16, 9],
  ['mel', 49, 2],
];

describe('the native mel', () => {
  it.each(sizes)(
    'gives the logits of double-precision loops: %s, %i frames, %i clips',
    (name, frames, clips) => {
      const weights = melWeights(name, classes, frames);
      const { crops } = melBatch(clips, frames, classes, frames);
      const near = crops.map((crop) => crop.map((value) => value / 30));
      const expected = referenceMel(weights, near, false);
      const features = Float32Array.from(near.flatMap((crop) => Array.from(crop)));
      forEachSet(addon, (instructionSet) => {
        const mel = addonMel(addon, name, classes, weights, { instructionSet });
        expectClose(mel.logits(features, clips), expected.flat(), 1e-4);
        expectClose(mel.logits(features.slice(0, frames * 64), 1), expected[0]!, 1e-4);
        mel.dispose();
      });
    },
  );

  it.each(sizes)(
    'gives every gradient of double-precision loops: %s, %i frames, %i clips',
    (name, frames, clips) => {
      const weights = melWeights(name, classes, frames + 1);
      const given = melBatch(clips, frames, classes, frames + 2);
      const expected = referenceMelPass(weights, given.crops, given.targets, 0.25, given.seed);
      const { batch, targets } = addonMelBatch(given);
      forEachSet(addon, (instructionSet) => {
        const mel = addonMel(addon, name, classes, weights, { instructionSet, dropout: 0.25 });
        const { loss, gradients } = mel.gradients(...batch, targets);
        expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-5);
        melNetwork(name, classes).parameters.forEach((parameter, index) => {
          const gradient = expected.gradients[parameter.name];
          expect(gradient === undefined).toBe(!parameter.trainable);
          if (gradient !== undefined) expectClose(gradients[index]!, gradient, 1e-3);
        });
        mel.dispose();
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
    const weights = melWeights('mel-small', classes, 9);
    const given = melBatch(1, 32, classes, 9);
    const crops = [given.crops[0]!.map((_value, i) => value(i))];
    const { batch, targets } = addonMelBatch({ ...given, crops });
    const logits = referenceMel(weights, crops, false).flat();
    const { loss } = referenceMelPass(weights, crops, given.targets, 0, 0);
    forEachSet(addon, (instructionSet) => {
      const mel = addonMel(addon, 'mel-small', classes, weights, { instructionSet });
      expectClose(mel.logits(batch[0], 1), logits, 1e-4);
      const pass = mel.gradients(...batch, targets);
      expect(Math.abs(pass.loss / loss - 1)).toBeLessThan(1e-3);
      for (const gradient of pass.gradients) expect(gradient.every(Number.isFinite)).toBe(true);
      mel.dispose();
    });
  });

  it('learns the same from a label as from a whole share of its class', () => {
    const weights = melWeights('mel-small', classes, 3);
    const { batch } = addonMelBatch(melBatch(3, 20, classes, 4));
    const whole = new Float32Array(3 * classes);
    batch[1].forEach((label, clip) => (whole[clip * classes + label] = 1));
    const mel = addonMel(addon, 'mel-small', classes, weights);
    const [ours, theirs] = [mel.gradients(...batch), mel.gradients(...batch, whole)];
    expect(ours.correct).toBe(theirs.correct);
    ours.gradients.forEach((gradient, index) => {
      expectClose(gradient, theirs.gradients[index]!, 1e-5);
    });
    mel.dispose();
  });

  it('gives the same bits on one, two and three threads', () => {
    const weights = melWeights('mel', classes, 21);
    const { batch, targets } = addonMelBatch(melBatch(10, 24, classes, 22));
    forEachSet(addon, (instructionSet) => {
      const outcomes = [1, 2, 3].map((threads) => {
        const mel = addonMel(addon, 'mel', classes, weights, { instructionSet, threads, dropout: 0.1 });
        mel.setMoments(zerosOf(weights), zerosOf(weights));
        mel.setAverages(Object.values(weights));
        const losses = [1, 2].map((step) => mel.step(...batch, 0.01, step, targets).loss);
        const state = [...mel.weights(), ...mel.moments().flat(), ...mel.averages()];
        const arrays = [mel.logits(batch[0], 10), Float64Array.from(losses), ...state];
        mel.dispose();
        return Buffer.concat(arrays.map((array) => Buffer.from(array.buffer)));
      });
      expect(outcomes[1]!.equals(outcomes[0]!)).toBe(true);
      expect(outcomes[2]!.equals(outcomes[0]!)).toBe(true);
    });
  });

  it('gives the same bits whatever batches and lengths came before', () => {
    const weights = melWeights('mel-small', classes, 5);
    const { batch, targets } = addonMelBatch(melBatch(6, 24, classes, 6));
    const other = addonMelBatch(melBatch(11, 40, classes, 7));
    const fresh = addonMel(addon, 'mel-small', classes, weights);
    const used = addonMel(addon, 'mel-small', classes, weights);
    used.gradients(...other.batch, other.targets);
    used.logits(other.batch[0], 11);
    expect(used.gradients(...batch, targets)).toEqual(fresh.gradients(...batch, targets));
    expect(used.logits(batch[0], 6)).toEqual(fresh.logits(batch[0], 6));
    fresh.dispose();
    used.dispose();
  });

  it('steps by the gradient that it reports as AdamW does, and keeps running statistics and means', () => {
    const weights = melWeights('mel-small', classes, 4);
    const given = melBatch(3, 20, classes, 5);
    const { batch, targets } = addonMelBatch(given);
    const names = Object.keys(weights);
    forEachSet(addon, (instructionSet) => {
      const mel = addonMel(addon, 'mel-small', classes, weights, { instructionSet });
      mel.setMoments(zerosOf(weights), zerosOf(weights));
      mel.setAverages(Object.values(weights));
      const state = Object.values(weights).map((tensor) => ({
        value: Float64Array.from(tensor),
        first: new Float64Array(tensor.length),
        second: new Float64Array(tensor.length),
        mean: Float64Array.from(tensor),
      }));
      for (const step of [1, 2, 3]) {
        const now = Object.fromEntries(mel.weights().map((tensor, index) => [names[index]!, tensor]));
        const { statistics } = referenceMelPass(now, given.crops, given.targets, 0, 0);
        const { gradients } = mel.gradients(...batch, targets);
        mel.step(...batch, 0.01, step, targets);
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
      const [values, averages] = [mel.weights(), mel.averages()];
      state.forEach(({ value, mean }, index) => {
        expectClose(values[index]!, value, 1e-4);
        expectClose(averages[index]!, mean, 1e-4);
      });
      mel.dispose();
    });
  });

  it('judges by the running means once it keeps them', () => {
    const [weights, means] = [1, 2].map((seed) => melWeights('mel-small', classes, seed));
    const { batch } = addonMelBatch(melBatch(2, 24, classes, 3));
    const mel = addonMel(addon, 'mel-small', classes, weights!);
    const other = addonMel(addon, 'mel-small', classes, means!);
    expect(mel.logits(batch[0], 2)).not.toEqual(other.logits(batch[0], 2));
    mel.setAverages(Object.values(means!));
    expect(mel.logits(batch[0], 2)).toEqual(other.logits(batch[0], 2));
    mel.dispose();
    other.dispose();
  });
});
