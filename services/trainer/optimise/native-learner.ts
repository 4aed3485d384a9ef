import type { NativeNetwork } from '../../../shared/compute/kernels/native-network';
import type { Scorer } from '../../../shared/compute/inference/scorer';
import { deriveSeed } from '../../../shared/runtime/random';
import type { WeightValues } from '../../../shared/registry/weights-file';
import type { Batch } from '../data/batches';
import type { StateValues } from '../runs/run-store';
import { sliceSeed, sliceSize, type StepResult } from './train-step';

/** What learner.ts asks of a learner. */
interface NativeLearner extends Scorer {
  step(batch: Batch, learningRate: number, seed: number): StepResult;
  values(): StateValues;
}

/** Continues from `values` on the native kernels. */
export function createNativeLearner(network: NativeNetwork, values: StateValues): NativeLearner {
  let { step } = values;
  network.setWeights(values.weights);
  // Running statistics have no moments; the kernels want a figure for each value and leave theirs at 0.
  const filled = (moments: WeightValues): WeightValues => ({ ...zerosLike(values.weights), ...moments });
  network.setMoments(filled(values.firstMoments), filled(values.secondMoments));
  return {
    step: ({ features, labels, size }, learningRate, seed) => {
      const masks = dropoutMasks(seed, size, network.dropoutPlaces);
      return network.step({ features, labels, masks }, learningRate, ++step);
    },
    logits: (features, size) => network.logits(features, size),
    values: () => {
      const { first, second } = network.moments();
      // Parameters that are counted and never run keep the values they came with; what has no moments
      // gets none.
      const joined = (before: WeightValues, after: WeightValues): WeightValues =>
        Object.fromEntries(Object.keys(before).map((name) => [name, after[name] ?? before[name]!]));
      return {
        step,
        weights: joined(values.weights, network.weights()),
        firstMoments: joined(values.firstMoments, first),
        secondMoments: joined(values.secondMoments, second),
      };
    },
    dispose: () => {
      network.dispose();
    },
  };
}

function zerosLike(values: WeightValues): WeightValues {
  return Object.fromEntries(
    Object.entries(values).map(([name, { length }]) => [name, new Float32Array(length)]),
  );
}

/**
 * What the kernels need to drop the activations that trainStep drops: for each clip its place in its
 * slice, and the seed of each layer's mask there.
 * @returns [size, 1 + places]
 */
function dropoutMasks(stepSeed: number, size: number, places: readonly string[]): Uint32Array {
  const masks = new Uint32Array(size * (1 + places.length));
  for (let clip = 0; clip < size; clip++) {
    const slot = clip % sliceSize;
    const seed = sliceSeed(stepSeed, clip - slot);
    const words = [slot, ...places.map((place) => deriveSeed(seed, place))];
    masks.set(words, clip * words.length);
  }
  return masks;
}
