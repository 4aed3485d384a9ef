/** The smallest positive Float32. */
const minProbability = 2 ** -149;

/**
 * Returns the mean of −ln p(true class), in nats. A probability of 0 counts as the smallest positive
 * Float32 (103.3 nats), so that the result is finite and JSON can represent it.
 * @param labels true class of each clip
 * @param probabilities `[clips][classes]`
 */
export function crossEntropy(labels: readonly number[], probabilities: readonly Float32Array[]): number {
  const sum = labels.reduce((total, label, clip) => {
    const probability = Math.min(1, probabilities[clip]![label]!);
    return total - Math.log(Math.max(probability, minProbability));
  }, 0);
  return Math.max(0, sum / labels.length);
}
