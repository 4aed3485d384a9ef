import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { hasNativeAdamW, isNative } from '../../../shared/compute/kernels/is-native';
import { createNativeNetwork } from '../../../shared/compute/kernels/native-network';
import { forwardLogits, type Scorer } from '../../../shared/compute/inference/scorer';
import type { NetworkConfig } from '../../../shared/contracts/architecture';
import type { Network } from '../../../shared/compute/network/network';
import type { Batch } from '../data/batches';
import { createNativeLearner } from './native-learner';
import type { StateValues } from '../runs/run-store';
import { createState, readState } from './network-state';
import { plainAdam, type OptimiserOptions } from './optimiser';
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

/**
 * Continues from `values`: on the native kernels where the engine has them for this network and its
 * optimiser.
 */
export function createLearner(
  network: Network,
  values: StateValues,
  optimiser: OptimiserOptions,
  { kernels }: LoadedEngine,
): Learner {
  const isForKernels = isPlain(optimiser) || hasNativeAdamW(network.config);
  const native = isForKernels ? createNativeNetwork(kernels, network, { optimiser }) : undefined;
  return native === undefined
    ? createReferenceLearner(network, values, optimiser)
    : createNativeLearner(native, values);
}

/** Whether the kernels train this network with that optimiser; else TensorFlow.js does. */
export function isTrainedNatively(config: NetworkConfig, optimiser: OptimiserOptions): boolean {
  return isNative(config) && (isPlain(optimiser) || hasNativeAdamW(config));
}

function isPlain({ beta2, weightDecay, averageDecay }: OptimiserOptions): boolean {
  return beta2 === plainAdam.beta2 && weightDecay === 0 && averageDecay === 0;
}

function createReferenceLearner(network: Network, values: StateValues, optimiser: OptimiserOptions): Learner {
  const state = createState(network, values);
  return {
    step: (batch, learningRate, seed) => trainStep(network, state, batch, learningRate, seed, optimiser),
    logits: (features, size) => forwardLogits(network, state.averages ?? state.weights, features, size),
    values: () => readState(state),
    dispose: () => {
      state.dispose();
    },
  };
}
