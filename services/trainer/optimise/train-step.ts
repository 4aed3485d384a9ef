import * as tf from '@tensorflow/tfjs-core';
import type { Network, TrainingMode } from '../../../shared/compute/network/network';
import { deriveSeed } from '../../../shared/runtime/random';
import { sliceBatch, type Batch } from '../data/batches';
import { adamStep } from './adam';
import type { NetworkState } from './network-state';

/**
 * Clips that go through the network at once. A batch is taken in such slices and their gradients added
 * up, which is the batch's gradient, and a quarter of the memory: at 32 clips the first block's
 * activations alone are 0.6 GB.
 */
export const sliceSize = 8;

/** The seed of everything random in the slice that begins at clip `start`. */
export function sliceSeed(stepSeed: number, start: number): number {
  return deriveSeed(stepSeed, start);
}

export interface StepResult {
  /** Summed over the batch's clips, before the step. */
  readonly loss: number;
  readonly correct: number;
}

/**
 * One optimiser step on the mean cross-entropy of a batch.
 * @param seed of everything random in this step
 */
export function trainStep(
  network: Network,
  state: NetworkState,
  batch: Batch,
  learningRate: number,
  seed: number,
): StepResult {
  state.step += 1;
  const gradients: Record<string, tf.Tensor> = {};
  let loss = 0;
  let correct = 0;
  // Batch statistics are of the whole batch, so that a network which uses them is not sliced.
  const usesStatistics = network.parameters.some(({ trainable }) => !trainable);
  const step = usesStatistics ? batch.size : sliceSize;
  for (let start = 0; start < batch.size; start += step) {
    const slice = sliceBatch(batch, start, Math.min(batch.size, start + step));
    const result = addGradients(network, state, slice, batch.size, sliceSeed(seed, start), gradients);
    loss += result.loss;
    correct += result.correct;
  }
  for (const [name, gradient] of Object.entries(gradients)) {
    adamStep(state.weights[name]!, gradient, state.moments[name]!, learningRate, state.step);
  }
  tf.dispose(gradients);
  return { loss, correct };
}

/** Adds the slice's share of the batch's mean gradient to `gradients`. */
function addGradients(
  network: Network,
  state: NetworkState,
  slice: Batch,
  batchSize: number,
  seed: number,
  gradients: Record<string, tf.Tensor>,
): StepResult {
  const statistics: [string, tf.Tensor][] = [];
  const training: TrainingMode = {
    seed,
    updateStatistic: (name, value) => statistics.push([name, value]),
  };
  const trainable = network.parameters.filter((p) => p.trainable).map(({ name }) => state.weights[name]!);
  const byId = new Map(Object.entries(state.weights).map(([name, variable]) => [variable.name, name]));

  const result = tf.tidy(() => {
    const input = tf.tensor2d(slice.features, [slice.size, slice.features.length / slice.size]);
    const labels = tf.oneHot(tf.tensor1d(slice.labels, 'int32'), slice.classes);
    let logits: tf.Tensor | undefined;
    const { value, grads } = tf.variableGrads(() => {
      // Kept: what is not the loss is freed when this function ends.
      logits = tf.keep(network.forward(state.weights, input, training));
      return tf.div(tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits as tf.Tensor2D), labels))), batchSize);
    }, trainable);
    for (const [id, gradient] of Object.entries(grads)) {
      const name = byId.get(id)!;
      const before = gradients[name];
      gradients[name] = tf.keep(before === undefined ? gradient : tf.add(before, gradient));
      before?.dispose();
    }
    const hits = tf.sum(tf.cast(tf.equal(tf.argMax(logits!, 1), tf.argMax(labels, 1)), 'int32'));
    logits!.dispose();
    return { loss: value.dataSync<'float32'>()[0]! * batchSize, correct: hits.dataSync<'int32'>()[0]! };
  });
  for (const [name, value] of statistics) {
    state.weights[name]!.assign(value);
    value.dispose();
  }
  return result;
}
