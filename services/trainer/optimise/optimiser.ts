import * as tf from '@tensorflow/tfjs-core';
import type { SteppedHyperparameters } from '../../../shared/contracts/manifest';
import { adamStep } from './adam';
import type { NetworkState } from './network-state';

/** Moves a network's weights by the gradients of one step, which it has counted already. */
export type Optimiser = (
  state: NetworkState,
  gradients: Readonly<Record<string, tf.Tensor>>,
  learningRate: number,
) => void;

/** AdamW's memory of squared gradients is the shorter one: its runs are short. */
export const adamwBeta2 = 0.99;

export function createOptimiser(hyperparameters: SteppedHyperparameters): Optimiser {
  switch (hyperparameters.optimizer) {
    case 'adam':
      return adam;
    case 'adamw': {
      const { weightDecay, averageDecay } = hyperparameters;
      return (state, gradients, learningRate) => {
        for (const [name, gradient] of Object.entries(gradients)) {
          const parameter = state.weights[name]!;
          // Scales, shifts and biases are not drawn to zero.
          const options = { beta2: adamwBeta2, weightDecay: parameter.rank > 1 ? weightDecay : 0 };
          adamStep(parameter, gradient, state.moments[name]!, learningRate, state.step, options);
        }
        average(state, averageDecay);
      };
    }
  }
}

/** The report's. */
export const adam: Optimiser = (state, gradients, learningRate) => {
  for (const [name, gradient] of Object.entries(gradients)) {
    adamStep(state.weights[name]!, gradient, state.moments[name]!, learningRate, state.step);
  }
};

/** Moves the running mean of weights and statistics; over few steps it is the mean of all of them. */
function average({ weights, averages, step }: NetworkState, averageDecay: number): void {
  const decay = Math.min(averageDecay, step / (step + 9));
  for (const [name, mean] of Object.entries(averages ?? {})) {
    tf.tidy(() => {
      mean.assign(tf.add(tf.mul(mean, decay), tf.mul(weights[name]!, 1 - decay)));
    });
  }
}
