import { mean } from './mean';
import { softmax } from './softmax';

/**
 * The probabilities of a window out of the logits of its inputs: the mean of their softmaxes.
 * @param temperature divides the logits: above 1 a network is less sure, below 1 surer
 */
export function meanProbabilities(logits: readonly Float32Array[], temperature = 1): Float32Array {
  return Float32Array.from(
    mean(logits.map((row) => softmax(temperature === 1 ? row : row.map((value) => value / temperature)))),
  );
}
