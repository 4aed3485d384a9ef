/** How windows are counted, where what is served is compared with what was trained for. */

export const confidenceBins = 10;
/** Of 10 dB, from −120 dBFS. */
export const levelBins = 12;

const { floor, log, max, min } = Math;

/** @param confidence from 0 to 1 */
export function confidenceBin(confidence: number): number {
  return min(confidenceBins - 1, max(0, floor(confidence * confidenceBins)));
}

export function levelBin(dbfs: number): number {
  return min(levelBins - 1, max(0, floor((dbfs + 120) / 10)));
}

/** How often each of the bins 0 … `size` − 1 occurs. */
export function countBins(bins: readonly number[], size: number): number[] {
  const counts = new Array<number>(size).fill(0);
  for (const bin of bins) counts[bin]! += 1;
  return counts;
}

/** What is added to each count, so that an empty bin is improbable and not impossible (H. Jeffreys' prior). */
const pseudoCount = 0.5;

/**
 * Population stability index: Σ (p − q) ln(p ÷ q) over the bins, where p and q are the shares that `counts` and `reference` put
 * there. 0: the same; by custom, above 0.1 something and above 0.25 much has changed.
 * @param counts of as many bins as `reference`
 */
export function stabilityIndex(counts: readonly number[], reference: readonly number[]): number {
  const [p, q] = [shares(counts), shares(reference)];
  return p.reduce((sum, share, bin) => sum + (share - q[bin]!) * log(share / q[bin]!), 0);
}

function shares(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count + pseudoCount, 0);
  return counts.map((count) => (count + pseudoCount) / total);
}
