import * as tf from '@tensorflow/tfjs-core';
import type { Parameter, TrainingMode, Weights, WeightArrays } from './network';

/**
 * `counted`: the report's own, 2 parameters a channel that its table counts and its layer list never
 * runs.
 */
export type BatchNormMode = 'counted' | 'applied';

const epsilon = 1e-5;
/** Weight of the newest batch in the running statistics, PyTorch's default. */
const momentum = 0.1;

/**
 * Kernels that training needs and TensorFlow.js does not name; an engine that can train registers them.
 */
export const batchNormKernels = {
  /** inputs x, scale, shift, mean, variance (the running ones); attributes epsilon, momentum. Gives y, the new running
   * mean and (unbiased) variance, and three tensors that the gradient wants back. */
  forward: 'EarshotBatchNorm',
  /**
   * inputs dy, x, scale, saved1, saved2, saved3; attribute epsilon. Gives the gradients of x, scale and
   * shift.
   */
  gradient: 'EarshotBatchNormGrad',
  /** inputs dy, y. */
  reluGradient: 'EarshotReluGrad',
} as const;

export function batchNormParameters(layer: string, channels: number, mode: BatchNormMode): Parameter[] {
  const shape = [channels];
  const learned: Parameter[] = [
    { name: `${layer}/scale`, shape, initialisation: { constant: 1 }, trainable: true },
    { name: `${layer}/shift`, shape, initialisation: { constant: 0 }, trainable: true },
  ];
  if (mode === 'counted') return learned;
  return [
    ...learned,
    { name: `${layer}/mean`, shape, initialisation: { constant: 0 }, trainable: false },
    { name: `${layer}/variance`, shape, initialisation: { constant: 1 }, trainable: false },
  ];
}

export interface BatchNormOptions {
  readonly training?: TrainingMode | undefined;
  /** Whether ReLU follows, which the gradient then takes in the same go. */
  readonly relu?: boolean;
}

/**
 * Batch normalisation over all but the last axis: the batch's statistics while training, the running
 * ones after.
 * @param input [..., channels]
 */
export function batchNorm(
  weights: Weights,
  input: tf.Tensor4D,
  layer: string,
  { training, relu = false }: BatchNormOptions,
): tf.Tensor4D {
  const [scale, shift] = [weights[`${layer}/scale`]!, weights[`${layer}/shift`]!];
  const [mean, variance] = [weights[`${layer}/mean`]!, weights[`${layer}/variance`]!];
  if (training === undefined) {
    const vectors = [mean, variance, shift, scale] as tf.Tensor1D[];
    const normalised = tf.batchNorm4d(input, vectors[0]!, vectors[1]!, vectors[2], vectors[3], epsilon);
    return relu ? tf.relu(normalised) : normalised;
  }
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [x, scale, shift, save] = args as [tf.Tensor4D, tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    const [normalised, newMean, newVariance, ...saved] = run(
      batchNormKernels.forward,
      { x, scale, shift, mean, variance },
      { epsilon, momentum },
    );
    training.updateStatistic(`${layer}/mean`, tf.keep(newMean!));
    training.updateStatistic(`${layer}/variance`, tf.keep(newVariance!));
    const y = relu ? tf.relu(normalised!) : normalised!;
    save([x, scale, y, ...saved]);
    const gradFunc = (gradient: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [x, scale, y, saved1, saved2, saved3] = saved as [tf.Tensor, ...tf.Tensor[]];
      const dy = relu ? run(batchNormKernels.reluGradient, { dy: gradient, y: y! })[0]! : gradient;
      const inputs = { dy, x, scale: scale!, saved1: saved1!, saved2: saved2!, saved3: saved3! };
      return run(batchNormKernels.gradient, inputs, { epsilon });
    };
    return { value: y, gradFunc };
  });
  return operation(input, scale, shift) as tf.Tensor4D;
}

function run(name: string, inputs: tf.NamedTensorMap, attributes = {}): tf.Tensor[] {
  return tf.engine().runKernel<tf.Tensor[]>(name, inputs, attributes);
}

/**
 * Batch norm with its running statistics as `bias`, and its factor a channel: multiplied into the
 * convolution before it (no bias of its own), or as `factor` where there is none.
 */
export function foldBatchNorm(trained: WeightArrays, layer: string, kernel?: string): WeightArrays {
  const [scale, shift] = [trained[`${layer}/scale`]!, trained[`${layer}/shift`]!];
  const [mean, variance] = [trained[`${layer}/mean`]!, trained[`${layer}/variance`]!];
  const factor = Float64Array.from(scale, (value, i) => value / Math.sqrt(variance[i]! + epsilon));
  const bias = Float32Array.from(shift, (value, i) => value - mean[i]! * factor[i]!);
  if (kernel === undefined) {
    return { [`${layer}/factor`]: Float32Array.from(factor), [`${layer}/bias`]: bias };
  }
  const values = trained[kernel]!.map((value, i) => value * factor[i % factor.length]!);
  return { [kernel]: values, [`${layer}/bias`]: bias };
}
