import * as tf from '@tensorflow/tfjs-core';
import type { Parameter, Weights } from './network';

const epsilon = 1e-5;

export function layerNormParameters(layer: string, width: number): Parameter[] {
  return [
    { name: `${layer}/scale`, shape: [width], initialisation: { constant: 1 }, trainable: true },
    { name: `${layer}/shift`, shape: [width], initialisation: { constant: 0 }, trainable: true },
  ];
}

/** Normalises the last axis to mean 0 and variance 1, then scales and shifts it. */
export function layerNorm<T extends tf.Tensor>(weights: Weights, input: T, layer: string): T {
  return tf.tidy(() => {
    const { mean, variance } = tf.moments(input, -1, true);
    const normalised = tf.mul(tf.sub(input, mean), tf.rsqrt(tf.add(variance, epsilon)));
    return tf.add(tf.mul(normalised, weights[`${layer}/scale`]!), weights[`${layer}/shift`]!);
  });
}
