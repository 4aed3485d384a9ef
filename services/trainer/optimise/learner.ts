import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { isNative } from '../../../shared/compute/kernels/is-native';
import { createNativeNetwork, type NativeNetwork } from '../../../shared/compute/kernels/native-network';
import { forwardLogits, type Scorer } from '../../../shared/compute/inference/scorer';
import type { NetworkConfig } from '../../../shared/contracts/architecture';
import type { SteppedHyperparameters } from '../../../shared/contracts/manifest';
import type { Network } from '../../../shared/compute/network/network';
import { plainAdam } from './adam';
import type { Batch } from '../data/batches';
import { createNativeLearner } from './native-learner';
import { createState, readState, type StateValues } from './network-state';
import { adamwBeta2, createOptimiser } from './optimiser';
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

/** Continues from `values`: on the native kernels where the engine has them for this network and its optimiser. */
export function createLearner(
  network: Network,
  values: StateValues,
  hyperparameters: SteppedHyperparameters,
  { kernels }: LoadedEngine,
): Learner {
  const native = nativeNetwork(network, hyperparameters, kernels);
  return native === undefined
    ? createReferenceLearner(network, values, hyperparameters)
    : createNativeLearner(native, values);
}

/** Whether the kernels train this network with that optimiser; else TensorFlow.js does. */
export function isTrainedNatively(
  config: NetworkConfig,
  optimizer: SteppedHyperparameters['optimizer'],
): boolean {
  const learnsStatistics = config.architecture === 'mel' || config.architecture === 'mel-small';
  return isNative(config) && (optimizer === 'adam' || learnsStatistics);
}

/** Undefined where the kernels have the network or its optimiser not. */
function nativeNetwork(
  network: Network,
  hyperparameters: SteppedHyperparameters,
  kernels: LoadedEngine['kernels'],
): NativeNetwork | undefined {
  if (hyperparameters.optimizer === 'adamw' && !isTrainedNatively(network.config, 'adamw')) return undefined;
  switch (hyperparameters.optimizer) {
    case 'adam':
      return createNativeNetwork(kernels, network, {
        optimiser: { ...plainAdam, averageDecay: 0 },
      });
    case 'adamw': {
      const { weightDecay, averageDecay } = hyperparameters;
      return createNativeNetwork(kernels, network, {
        optimiser: { beta2: adamwBeta2, weightDecay, averageDecay },
      });
    }
  }
}

function createReferenceLearner(
  network: Network,
  values: StateValues,
  hyperparameters: SteppedHyperparameters,
): Learner {
  const state = createState(network, values);
  const optimise = createOptimiser(hyperparameters);
  return {
    step: (batch, learningRate, seed) => trainStep(network, state, batch, learningRate, seed, optimise),
    logits: (features, size) => forwardLogits(network, state.averages ?? state.weights, features, size),
    values: () => readState(state),
    dispose: () => {
      state.dispose();
    },
  };
}
