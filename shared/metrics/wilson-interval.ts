/** 0.975 quantile of the normal distribution. */
const z95 = 1.959963984540054;

/**
 * Returns Wilson's score interval at 95 % for a share of successes (E. B. Wilson, JASA 22, 1927). Unlike
 * ±1.96 standard errors it stays inside [0, 1] and has a positive width at 0 and 100 %.
 * @throws RangeError unless 0 ≤ successes ≤ trials and trials > 0
 */
export function wilsonInterval(successes: number, trials: number): { lower: number; upper: number } {
  if (!(trials > 0 && successes >= 0 && successes <= trials)) {
    throw new RangeError(`expected 0 to n successes in n > 0 trials, got ${successes} in ${trials}`);
  }
  const share = successes / trials;
  const z2 = z95 * z95;
  const centre = share + z2 / (2 * trials);
  const halfWidth = z95 * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials * trials));
  const scale = 1 + z2 / trials;
  // The exact bounds at 0 and at n; rounding would change them by about 1e-17.
  return {
    lower: successes === 0 ? 0 : (centre - halfWidth) / scale,
    upper: successes === trials ? 1 : (centre + halfWidth) / scale,
  };
}
