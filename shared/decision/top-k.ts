import type { Prediction } from '../contracts/classification';

/**
 * Returns the k most probable classes, most probable first. Equal ones keep the order of the classes.
 * @param probabilities one per class, in the order of `classes`
 */
export function topK(probabilities: ArrayLike<number>, classes: readonly string[], k: number): Prediction[] {
  if (probabilities.length !== classes.length) {
    throw new RangeError(
      `Expected a probability for each of ${classes.length} classes, got ${probabilities.length}.`,
    );
  }
  return classes
    .map((label, index) => ({ label, probability: probabilities[index]! }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, k);
}
