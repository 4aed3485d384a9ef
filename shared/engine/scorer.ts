import * as tf from '@tensorflow/tfjs-core';
import type { Network } from '../network/network';
import type { WeightValues } from '../registry/weights-file';
import type { LoadedEngine } from './load-engine';
import { createNativeNetwork } from './native-network';

/** A network with its weights, ready to compute on the calling thread's engine. */
export interface Scorer {
  /**
   * @param features [size, inputs], the front end's output
   * @returns logits [size, classes]
   */
  logits(features: Float32Array, size: number): Float32Array;
  dispose(): void;
}

/** On the native kernels where the engine has them for this network. The weights are copied; `dispose` frees them. */
export function createScorer(network: Network, values: WeightValues, { kernels }: LoadedEngine): Scorer {
  const native = createNativeNetwork(kernels, network);
  if (native === undefined) return createReferenceScorer(network, values);
  native.setWeights(values);
  return native;
}

function createReferenceScorer(network: Network, values: WeightValues): Scorer {
  const weights = Object.fromEntries(
    network.parameters.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape], 'float32')]),
  );
  return {
    logits: (features, size) =>
      tf.tidy(() => {
        const input = tf.tensor2d(features, [size, features.length / size]);
        return network.forward(weights, input).dataSync<'float32'>();
      }),
    dispose: () => {
      tf.dispose(weights);
    },
  };
}
