import { spread } from './spread';

export interface MeanInterval {
  readonly mean: number;
  readonly lower: number;
  readonly upper: number;
}

/** Student's t at 97.5 % for 1, 2 … 9 degrees of freedom. */
const quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262] as const;

/**
 * Returns the mean of a few paired differences with its 95 % interval by Student's t.
 * @param values 2 to 10
 * @throws RangeError for fewer or more
 */
export function meanInterval(values: readonly number[]): MeanInterval {
  const quantile = quantiles[values.length - 2];
  const { mean, standardDeviation } = spread(values);
  if (quantile === undefined || standardDeviation === null) {
    throw new RangeError(`expected 2 to 10 values, got ${values.length}`);
  }
  const half = (quantile * standardDeviation) / Math.sqrt(values.length);
  return { mean, lower: mean - half, upper: mean + half };
}
