/**
 * McNemar's exact test (Q. McNemar, Psychometrika 12, 1947). Returns the two-sided probability, under a
 * binomial distribution with p = ½, of a split at least as uneven as this one if both classifiers are
 * equally good.
 * @param onlyFirst number of clips that only the first classified correctly
 * @param onlySecond number of clips that only the second classified correctly
 */
export function mcnemarExact(onlyFirst: number, onlySecond: number): number {
  const trials = onlyFirst + onlySecond;
  const smaller = Math.min(onlyFirst, onlySecond);
  // In logarithms, because 2⁻ⁿ underflows for a thousand clips and more.
  let logTerm = -trials * Math.LN2;
  let sum = 0;
  for (let k = 0; k <= smaller; k += 1) {
    sum += Math.exp(logTerm);
    logTerm += Math.log(trials - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * sum);
}
