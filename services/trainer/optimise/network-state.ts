import * as tf from '@tensorflow/tfjs-core';
import type { Network } from '../../../shared/compute/network/network';
import { initialWeights } from '../../../shared/compute/network/initial-weights';
import type { WeightValues } from '../../../shared/registry/weights-file';
import type { StateValues } from '../runs/run-store';
import type { Moments } from './adam';

/** A network in training: its variables and the optimiser's. `dispose` frees them. */
export interface NetworkState {
  readonly weights: Readonly<Record<string, tf.Variable>>;
  /** The moments of the trainable parameters. */
  readonly moments: Readonly<Record<string, Moments>>;
  /** Optimiser steps taken. */
  step: number;
  dispose(): void;
}

export function freshState(network: Network, seed: number): StateValues {
  const weights = initialWeights(network, seed);
  const zeros = (): WeightValues =>
    Object.fromEntries(
      network.parameters
        .filter(({ trainable }) => trainable)
        .map(({ name }) => [name, new Float32Array(weights[name]!.length)]),
    );
  return { step: 0, weights, firstMoments: zeros(), secondMoments: zeros() };
}

export function createState(network: Network, values: StateValues): NetworkState {
  const variable = (data: Float32Array, shape: readonly number[], trainable: boolean): tf.Variable =>
    tf.tidy(() => tf.variable(tf.tensor(data, [...shape], 'float32'), trainable));
  const variables = (data: WeightValues): Record<string, tf.Variable> =>
    Object.fromEntries(
      network.parameters.map(({ name, shape, trainable }) => [name, variable(data[name]!, shape, trainable)]),
    );
  const weights = variables(values.weights);
  const moments = Object.fromEntries(
    network.parameters
      .filter(({ trainable }) => trainable)
      .map(({ name, shape }) => [
        name,
        {
          first: variable(values.firstMoments[name]!, shape, false),
          second: variable(values.secondMoments[name]!, shape, false),
        },
      ]),
  );
  return {
    weights,
    moments,
    step: values.step,
    dispose: () => {
      tf.dispose([weights, moments]);
    },
  };
}

export function readState(state: NetworkState): StateValues {
  const moment = (which: keyof Moments): WeightValues =>
    Object.fromEntries(Object.entries(state.moments).map(([name, moments]) => [name, read(moments[which])]));
  return {
    step: state.step,
    weights: readAll(state.weights),
    firstMoments: moment('first'),
    secondMoments: moment('second'),
  };
}

function readAll(variables: Readonly<Record<string, tf.Variable>>): WeightValues {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, read(value)]));
}

function read(tensor: tf.Tensor): Float32Array {
  return tensor.dataSync<'float32'>();
}
