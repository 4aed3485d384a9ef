import * as tf from '@tensorflow/tfjs-core';
import type { Network } from '../../../shared/compute/network/network';
import { initialWeights } from '../../../shared/compute/network/initial-weights';
import type { WeightValues } from '../../../shared/registry/weights-file';
import type { StateValues } from '../runs/run-store';
import type { Moments } from './adam';

/** A network in training: its variables and the optimiser's. `dispose` frees them. */
export interface NetworkState {
  readonly weights: Readonly<Record<string, tf.Variable>>;
  /** Of the trainable parameters. */
  readonly moments: Readonly<Record<string, Moments>>;
  /** Running means of all weights, where the recipe keeps them. */
  readonly averages?: Readonly<Record<string, tf.Variable>>;
  /** Optimiser steps taken. */
  step: number;
  dispose(): void;
}

/** The weights that are judged and published: the running means where there are any. */
export function modelWeights({ averages, weights }: StateValues): WeightValues {
  return averages ?? weights;
}

/** @param averaged whether running means of the weights are kept */
export function freshState(network: Network, seed: number, averaged = false): StateValues {
  const weights = initialWeights(network, seed);
  const zeros = (): WeightValues =>
    Object.fromEntries(
      network.parameters
        .filter(({ trainable }) => trainable)
        .map(({ name }) => [name, new Float32Array(weights[name]!.length)]),
    );
  const moments = { firstMoments: zeros(), secondMoments: zeros() };
  return { step: 0, weights, ...moments, ...(averaged ? { averages: weights } : {}) };
}

export function createState(network: Network, values: StateValues): NetworkState {
  const variable = (data: Float32Array, shape: readonly number[], trainable: boolean): tf.Variable =>
    tf.tidy(() => tf.variable(tf.tensor(data, [...shape], 'float32'), trainable));
  const variables = (data: WeightValues): Record<string, tf.Variable> =>
    Object.fromEntries(
      network.parameters.map(({ name, shape, trainable }) => [name, variable(data[name]!, shape, trainable)]),
    );
  const weights = variables(values.weights);
  const averages = values.averages === undefined ? {} : { averages: variables(values.averages) };
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
    ...averages,
    step: values.step,
    dispose: () => {
      tf.dispose([weights, moments, averages]);
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
    ...(state.averages === undefined ? {} : { averages: readAll(state.averages) }),
  };
}

function readAll(variables: Readonly<Record<string, tf.Variable>>): WeightValues {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, read(value)]));
}

function read(tensor: tf.Tensor): Float32Array {
  return tensor.dataSync<'float32'>();
}
