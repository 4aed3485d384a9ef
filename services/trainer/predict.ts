import * as tf from '@tensorflow/tfjs-core';
import type { FrontEnd } from '../../shared/contracts/front-end';
import type { Network, Weights } from '../../shared/network/network';
import { inputSamples } from '../../shared/network/trunk';
import { batchesOf } from './batches';
import type { LabelledClip } from './dataset';

/** Clips at once: enough to keep the engine busy, small enough to stay far below a training step's memory. */
const batchSize = 8;

/** The network's logits for each clip, in the clips' order. */
export function predictLogits(
  network: Network,
  weights: Weights,
  clips: readonly LabelledClip[],
  frontEnd: FrontEnd,
  classes: number,
): Float32Array[] {
  const logits: Float32Array[] = [];
  for (const batch of batchesOf(clips, { frontEnd, classes, batchSize })) {
    const values = tf.tidy(() => {
      const input = tf.tensor2d(batch.features, [batch.size, inputSamples]);
      return network.forward(weights, input).dataSync<'float32'>();
    });
    for (let row = 0; row < batch.size; row++) logits.push(values.slice(row * classes, (row + 1) * classes));
  }
  return logits;
}

/** Softmax in double precision. */
export function softmax(logits: Float32Array): Float32Array {
  const highest = logits.reduce((best, value) => Math.max(best, value), -Infinity);
  const exponentials = Array.from(logits, (value) => Math.exp(value - highest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return Float32Array.from(exponentials, (value) => value / sum);
}
