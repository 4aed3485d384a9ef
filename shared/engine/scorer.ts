import * as tf from '@tensorflow/tfjs-core';
import type { Network } from '../network/network';
import type { WeightValues } from '../registry/weights-file';

/** A network with its weights, ready to compute on the calling thread's engine. */
export interface Scorer {
  /**
   * @param features [size, inputs], the front end's output
   * @returns logits [size, classes]
   */
  logits(features: Float32Array, size: number): Float32Array;
  dispose(): void;
}

/** The weights are copied to the engine; `dispose` frees them there. */
export function createScorer(network: Network, values: WeightValues): Scorer {
  const form = network.inference ?? network;
  const held = network.inference?.values(values) ?? values;
  const weights = Object.fromEntries(
    form.parameters.map(({ name, shape }) => [name, tf.tensor(held[name]!, [...shape], 'float32')]),
  );
  return {
    logits: (features, size) =>
      tf.tidy(() => {
        const input = tf.tensor2d(features, [size, features.length / size]);
        return form.forward(weights, input).dataSync<'float32'>();
      }),
    dispose: () => {
      tf.dispose(weights);
    },
  };
}
