import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { createNativeNetwork } from '../../../shared/compute/kernels/native-network';
import { forwardLogits, type Scorer } from '../../../shared/compute/inference/scorer';
import type { Network } from '../../../shared/compute/network/network';
import type { Batch } from '../data/batches';
import { createNativeLearner } from './native-learner';
import type { StateValues } from '../runs/run-store';
import { createState, readState } from './network-state';
import { trainStep, type StepResult } from './train-step';

/** A network in training: it takes optimiser steps, and scores with the weights it has reached. */
export interface Learner extends Scorer {
  /**
   * One optimiser step on the mean cross-entropy of a batch.
   * @param seed of everything random in this step
   */
  step(batch: Batch, learningRate: number, seed: number): StepResult;
  /** Everything that the next step depends on. */
  values(): StateValues;
}

/** Continues from `values`: on the native kernels where the engine has them for this network. */
export function createLearner(network: Network, values: StateValues, { kernels }: LoadedEngine): Learner {
  const native = createNativeNetwork(kernels, network);
  return native === undefined ? createReferenceLearner(network, values) : createNativeLearner(native, values);
}

function createReferenceLearner(network: Network, values: StateValues): Learner {
  const state = createState(network, values);
  return {
    step: (batch, learningRate, seed) => trainStep(network, state, batch, learningRate, seed),
    logits: (features, size) => forwardLogits(network, state.weights, features, size),
    values: () => readState(state),
    dispose: () => {
      state.dispose();
    },
  };
}
