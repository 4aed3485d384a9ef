import * as tf from '@tensorflow/tfjs-core';
import { adamStep } from './adam';
import type { NetworkState } from './network-state';

/** Adam with what may be added to it; `plainAdam` is the report's. */
export interface OptimiserOptions {
  /** Decay of the second moment. */
  readonly beta2: number;
  /**
   * Decoupled from the gradient (Loshchilov and Hutter 2019), on kernels alone: the share of the rate by
   * which a step shrinks them.
   */
  readonly weightDecay: number;
  /** Of the running mean of the weights, which then is the model; 0: none is kept. */
  readonly averageDecay: number;
}

/** Adam's own decay, no weight decay and no means. */
export const plainAdam: OptimiserOptions = { beta2: 0.999, weightDecay: 0, averageDecay: 0 };

/** Moves a network's weights by the gradients of one step, which the state has counted already. */
export function moveWeights(
  state: NetworkState,
  gradients: Readonly<Record<string, tf.Tensor>>,
  learningRate: number,
  { beta2, weightDecay, averageDecay }: OptimiserOptions = plainAdam,
): void {
  for (const [name, gradient] of Object.entries(gradients)) {
    const parameter = state.weights[name]!;
    // Scales, shifts and biases are not drawn to zero.
    const options = { beta2, weightDecay: parameter.rank > 1 ? weightDecay : 0 };
    adamStep(parameter, gradient, state.moments[name]!, learningRate, state.step, options);
  }
  average(state, averageDecay);
}

/** Moves the running mean of weights and statistics; over few steps it is the mean of all of them. */
function average({ weights, averages, step }: NetworkState, averageDecay: number): void {
  const decay = Math.min(averageDecay, step / (step + 9));
  for (const [name, mean] of Object.entries(averages ?? {})) {
    tf.tidy(() => {
      mean.assign(tf.add(tf.mul(mean, decay), tf.mul(weights[name]!, 1 - decay)));
    });
  }
}
