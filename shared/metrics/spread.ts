import type { Spread } from '../contracts/report';

/**
 * Returns mean and sample standard deviation (divisor n − 1) of a few values. The deviation of a single
 * value is null and not 0, because it is unknown.
 * @throws RangeError when there are no values
 */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('expected at least one value, got none');
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) return { mean, standardDeviation: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardDeviation: Math.sqrt(squares / (values.length - 1)) };
}
