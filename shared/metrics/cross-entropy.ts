/** The smallest positive Float32. */
const smallestProbability = 2 ** -149;

/**
 * Mean of −ln p(true class), in nats. A probability that softmax underflowed to 0 counts as the smallest
 * one that Float32 can hold (103.3 nats), so that the result is a number that JSON can carry.
 *
 * @param labels true class of each clip
 * @param probabilities `[clips][classes]`
 */
export function crossEntropy(labels: readonly number[], probabilities: readonly Float32Array[]): number {
  const sum = labels.reduce((total, label, clip) => {
    const probability = Math.min(1, probabilities[clip]![label]!);
    return total - Math.log(Math.max(probability, smallestProbability));
  }, 0);
  return Math.max(0, sum / labels.length);
}
