/** Bins of the confidence histogram, which compares served windows with those of the validation. */

export const confidenceBins = 10;
/** Bins of the level histogram: 10 dB each, from −120 dBFS. */
export const levelBins = 12;

const { floor, log, max, min } = Math;

/** @param confidence from 0 to 1 */
export function confidenceBin(confidence: number): number {
  return min(confidenceBins - 1, max(0, floor(confidence * confidenceBins)));
}

export function levelBin(dbfs: number): number {
  return min(levelBins - 1, max(0, floor((dbfs + 120) / 10)));
}

/** Counts how often each bin 0 … `size` − 1 occurs. */
export function countBins(bins: readonly number[], size: number): number[] {
  const counts = new Array<number>(size).fill(0);
  for (const bin of bins) counts[bin]! += 1;
  return counts;
}

/** Added to each count, so that an empty bin has a small probability and not zero (Jeffreys' prior). */
const pseudoCount = 0.5;

/**
 * Returns the population stability index: Σ (p − q) ln(p ÷ q) over the bins, where p and q are the
 * shares in `counts` and `reference`. 0 means equal distributions; by convention a value above 0.1 is a
 * change and one above 0.25 a large change.
 * @param counts as many bins as `reference`
 */
export function stabilityIndex(counts: readonly number[], reference: readonly number[]): number {
  const [p, q] = [shares(counts), shares(reference)];
  return p.reduce((sum, share, bin) => sum + (share - q[bin]!) * log(share / q[bin]!), 0);
}

function shares(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count + pseudoCount, 0);
  return counts.map((count) => (count + pseudoCount) / total);
}
