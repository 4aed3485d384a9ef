import * as tf from '@tensorflow/tfjs-core';
import { deriveSeed, hash32 } from '../../runtime/random';
import type { TrainingMode } from './network';

/**
 * Inverted dropout: each activation is zeroed with probability `rate`, the others scaled by 1 / (1 −
 * rate).
 * @param place names the layer, so that no two layers of a step drop alike
 */
export function dropout<T extends tf.Tensor>(
  input: T,
  rate: number,
  training: TrainingMode | undefined,
  place: string,
): T {
  if (training === undefined || rate === 0) return input;
  return tf.tidy(() => {
    const mask = dropoutMask(input.size, rate, deriveSeed(training.seed, place));
    return tf.mul<T>(input, tf.tensor(mask, input.shape, 'float32'));
  });
}

/**
 * The mask as a function of (seed, index): 0 or 1 / (1 − rate). Activation i takes 16 bits of the hash
 * of i >> 1, so the rate is exact to 2⁻¹⁶ and any implementation can make any part of the mask.
 */
export function dropoutMask(length: number, rate: number, seed: number): Float32Array {
  const threshold = Math.round(rate * 65_536);
  const kept = 1 / (1 - rate);
  const mask = new Float32Array(length);
  for (let index = 0; index < length; index += 2) {
    const bits = hash32((index >>> 1) ^ seed);
    mask[index] = (bits & 0xffff) < threshold ? 0 : kept;
    if (index + 1 < length) mask[index + 1] = bits >>> 16 < threshold ? 0 : kept;
  }
  return mask;
}
