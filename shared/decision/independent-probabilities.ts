/**
 * Computes the probability of each class from the logits of a window's inputs, for classes that do not
 * exclude each other: the mean of the sigmoids over the rows.
 */
export function independentProbabilities(rows: readonly Float32Array[]): Float32Array {
  const probabilities = new Float32Array(rows[0]!.length);
  for (const row of rows) row.forEach((logit, c) => (probabilities[c]! += sigmoid(logit) / rows.length));
  return probabilities;
}

/** @returns the probability that log odds stand for */
export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
