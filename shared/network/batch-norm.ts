import * as tf from '@tensorflow/tfjs-core';
import type { Parameter, TrainingMode, Weights } from './network';

/** `counted`: the report's own, 2 parameters a channel that its table counts and its layer list never runs. */
export type BatchNormMode = 'counted' | 'applied';

const epsilon = 1e-5;
/** Weight of the newest batch in the running statistics, PyTorch's default. */
const momentum = 0.1;

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

/**
 * Batch normalisation over all but the last axis: the batch's statistics while training, the running ones after.
 * @param input [..., channels]
 */
export function batchNorm(
  weights: Weights,
  input: tf.Tensor4D,
  layer: string,
  training?: TrainingMode,
): tf.Tensor4D {
  const running = { mean: weights[`${layer}/mean`]!, variance: weights[`${layer}/variance`]! };
  const { mean, variance } = training === undefined ? running : tf.moments(input, [0, 1, 2]);
  if (training !== undefined) {
    const count = input.size / input.shape[3];
    const unbiased = tf.mul(variance, count / Math.max(1, count - 1));
    training.updateStatistic(`${layer}/mean`, tf.keep(blend(running.mean, mean)));
    training.updateStatistic(`${layer}/variance`, tf.keep(blend(running.variance, unbiased)));
  }
  const normalised = tf.mul(tf.sub(input, mean), tf.rsqrt(tf.add(variance, epsilon)));
  return tf.add(tf.mul(normalised, weights[`${layer}/scale`]!), weights[`${layer}/shift`]!);
}

function blend(running: tf.Tensor, batch: tf.Tensor): tf.Tensor {
  return tf.add(tf.mul(running, 1 - momentum), tf.mul(batch, momentum));
}
