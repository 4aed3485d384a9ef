import { isHead } from '../../contracts/architecture';
import * as tf from '@tensorflow/tfjs-core';
import { computeHead, computeTagHead } from '../network/head';
import type { Network, Weights } from '../network/network';
import type { WeightValues } from '../../registry/weights-file';
import type { LoadedEngine } from '../provide/load-engine';
import { createNativeNetwork } from '../kernels/native-network';
import { loadWeights } from './graph-scorer';

/** A network with its weights, ready to compute on the calling thread's engine. */
export interface Scorer {
  /**
   * @param features [size, inputs], the front end's output
   * @returns logits [size, classes]
   */
  logits(features: Float32Array, size: number): Float32Array;
  dispose(): void;
}

export interface ScorerOptions {
  /**
   * Frames to remember, 80 kB each, where the engine can: for windows that overlap by whole frames, as a
   * stream's do at a hop of half a second. Eight of nine frames are then not computed again.
   */
  readonly cachedFrames?: number;
}

/**
 * On the native kernels where the engine has them for this network. The weights are copied; `dispose`
 * frees them.
 */
export function createScorer(
  network: Network,
  values: WeightValues,
  { kernels }: LoadedEngine,
  options: ScorerOptions = {},
): Scorer {
  if (isHead(network.config)) {
    const { multiLabel } = network.config;
    return {
      logits: (features, size) =>
        multiLabel === true ? computeTagHead(features, size) : computeHead(values, features, size),
      dispose: () => undefined,
    };
  }
  const native = createNativeNetwork(kernels, network, options);
  if (native === undefined) return createReferenceScorer(network, values);
  native.setWeights(values);
  return native;
}

function createReferenceScorer(network: Network, values: WeightValues): Scorer {
  const weights = loadWeights(network, values);
  return {
    logits: (features, size) => forwardLogits(network, weights, features, size),
    dispose: () => {
      tf.dispose(weights);
    },
  };
}

/** One pass on TensorFlow.js, from plain values to plain values. @returns logits [size, classes] */
export function forwardLogits(
  network: Pick<Network, 'forward'>,
  weights: Weights,
  features: Float32Array,
  size: number,
): Float32Array {
  return tf.tidy(() => {
    const input = tf.tensor2d(features, [size, features.length / size]);
    return network.forward(weights, input).dataSync<'float32'>();
  });
}
