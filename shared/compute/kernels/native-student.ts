import { encoderFeatures } from '../../encoder/mobile-net';
import type { WeightValues } from '../../registry/weights-file';
import { smallEncoderNetwork, smallEncoderSize } from '../network/encoder-networks';
import { namedTensors } from './named-tensors';
import { loadKernels, type KernelsChoice, type NativeOptimiser } from './kernels-addon';

/** The optimiser's state, and the weights' running means. */
export interface StudentState {
  readonly weights: WeightValues;
  readonly firstMoments: WeightValues;
  readonly secondMoments: WeightValues;
  readonly averages: WeightValues;
}

/** The small encoder's network as it learns from a larger encoder, on the kernels' own threads. */
export interface NativeStudent {
  setState(state: StudentState): void;
  state(): StudentState;
  /** The weights' running means, which are the result. */
  averages(): WeightValues;
  /**
   * A step of AdamW on the mean loss.
   * @param features [size, inputs], finite
   * @param targets [size, outputs]: the larger encoder's features, then the probabilities of its tags
   * @param step 1 for the first
   * @returns the loss, summed over the batch, before the step
   */
  step(features: Float32Array, targets: Float32Array, learningRate: number, step: number): number;
  dispose(): void;
}

const noMasks = new Uint32Array(0);

/** The network, its state still to be set. */
export function createNativeStudent(
  { path, instructionSet, threads }: KernelsChoice,
  optimiser: NativeOptimiser,
): NativeStudent {
  const { parameters, outputs } = smallEncoderNetwork;
  const student = loadKernels(path).createSmallNet({
    instructionSet,
    threads,
    outputs,
    features: encoderFeatures,
    ...smallEncoderSize,
    ...optimiser,
  });
  const { inOrder: tensors, byName: named } = namedTensors(parameters.map(({ name }) => name));
  const averages = (): WeightValues => named(student.averages());
  return {
    setState: (state) => {
      student.setWeights(tensors(state.weights));
      student.setMoments(tensors(state.firstMoments), tensors(state.secondMoments));
      student.setAverages(tensors(state.averages));
    },
    state: () => {
      const [first, second] = student.moments();
      return {
        weights: named(student.weights()),
        firstMoments: named(first),
        secondMoments: named(second),
        averages: averages(),
      };
    },
    averages,
    step: (features, targets, learningRate, step) =>
      student.step(features, targets, noMasks, learningRate, step).loss,
    dispose: () => {
      student.dispose();
    },
  };
}
