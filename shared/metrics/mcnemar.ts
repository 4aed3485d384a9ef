/**
 * McNemar's exact test: how probable a split at least as uneven as this is, when two classifiers are equally good and differ on
 * `onlyFirst + onlySecond` of the same clips by chance. Two-sided, of the binomial distribution with p = ½. (Q. McNemar,
 * Psychometrika 12, 1947.)
 * @param onlyFirst clips that only the first got right
 * @param onlySecond clips that only the second got right
 */
export function mcnemarExact(onlyFirst: number, onlySecond: number): number {
  const trials = onlyFirst + onlySecond;
  const least = Math.min(onlyFirst, onlySecond);
  // From the logarithm, so that 2⁻ⁿ does not vanish for a thousand clips and more.
  let logTerm = -trials * Math.LN2;
  let sum = 0;
  for (let k = 0; k <= least; k += 1) {
    sum += Math.exp(logTerm);
    logTerm += Math.log(trials - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * sum);
}
