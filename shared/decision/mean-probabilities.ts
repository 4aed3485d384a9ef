import { mean } from './mean';
import { softmax } from './softmax';

/**
 * Computes the class probabilities of a window from the logits of its inputs: the mean of their
 * softmaxes.
 * @param temperature divides the logits; above 1 the probabilities become less extreme
 */
export function meanProbabilities(logits: readonly Float32Array[], temperature = 1): Float32Array {
  return Float32Array.from(
    mean(logits.map((row) => softmax(temperature === 1 ? row : row.map((value) => value / temperature)))),
  );
}
