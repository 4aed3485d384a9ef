import * as tf from '@tensorflow/tfjs-core';
import type { Member } from '../network/members';
import type { Network, Weights } from '../network/network';
import type { WeightValues } from '../../registry/weights-file';

/** What networks are given of some windows. */
export interface Inputs {
  /**
   * One input of `inputLength(frontEnd)` after the other, window after window; overwritten when the
   * front end is asked again.
   */
  readonly features: Float32Array;
  /** How many inputs each window has. */
  readonly counts: readonly number[];
}

/**
 * Networks on TensorFlow.js, all in one graph: the inputs are uploaded once, every network is begun, and
 * all outputs are read back together. On a GPU each reading back is a wait for the card.
 */
export interface GraphScorer {
  /**
   * Begins to compute; a GPU goes on beside this thread.
   * @param inputs of each group; they may be overwritten as soon as this returns
   * @returns waits for the logits [inputs, outputs] of each group's members; to be called once
   */
  begin(inputs: readonly Inputs[]): () => Float32Array[][];
  dispose(): void;
}

/** @param groups members of each are given the same inputs */
export function createGraphScorer(groups: readonly (readonly Member[])[]): GraphScorer {
  const loaded = groups.map((members) =>
    members.map(({ network, values }) => ({
      network,
      outputs: network.outputs,
      weights: loadWeights(network, values),
    })),
  );
  return {
    begin: (inputs) => {
      const sizes = inputs.map(({ counts }) => counts.reduce((sum, count) => sum + count, 0));
      const outputs = tf.tidy(() =>
        tf.concat1d(
          loaded.flatMap((members, group) => {
            const { features } = inputs[group]!;
            const size = sizes[group]!;
            const input = tf.tensor2d(features, [size, features.length / size]);
            return members.map(({ network, weights }) =>
              tf.reshape<tf.Rank.R1>(network.forward(weights, input), [-1]),
            );
          }),
        ),
      );
      return () => {
        const logits = readOnce(outputs);
        let next = 0;
        return loaded.map((members, group) =>
          members.map(({ outputs: length }) => {
            const start = next;
            next += sizes[group]! * length;
            return logits.subarray(start, next);
          }),
        );
      };
    },
    dispose: () => {
      for (const { weights } of loaded.flat()) tf.dispose(weights);
    },
  };
}

/** A network's weights on the engine. */
export function loadWeights(network: Network, values: WeightValues): Weights {
  return Object.fromEntries(
    network.parameters.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape], 'float32')]),
  );
}

/** A tensor's values; it is disposed of. */
export function readOnce(outputs: tf.Tensor): Float32Array {
  try {
    return outputs.dataSync<'float32'>();
  } finally {
    outputs.dispose();
  }
}
