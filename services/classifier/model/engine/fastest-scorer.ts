/** What was measured of a way to compute a version, or why nothing was. */
export type ScorerFigures = {
  /** For people: `cpu (native avx512 kernels, 2 threads)`. */
  readonly engine: string;
} & (
  | {
      /** Milliseconds of a window alone, and of each window of the largest batch. */
      readonly windowMs: number;
      readonly batchWindowMs: number;
      /** Windows of that batch. */
      readonly batchWindows: number;
      /** Largest difference to the probabilities that the trainer stored; undefined: it stored none. */
      readonly largestDifference: number | undefined;
    }
  | { readonly problem: string }
);

/** A change of engine costs a load: the new one must be faster than the present one by this factor. */
const worthwhile = 0.9;

/**
 * Chooses the scorer with the smallest geometric mean of its two times: whoever is twice as fast at one
 * may be no more than half as fast at the other. The present one stays unless another gains a tenth.
 * @param present the one in use
 * @param tolerance of the difference to what the trainer computed
 * @returns its index; that of the present one where none can be taken
 */
export function fastestScorer(scorers: readonly ScorerFigures[], present: number, tolerance: number): number {
  const costs = scorers.map((figures, index) => {
    if ('problem' in figures || (figures.largestDifference ?? 0) > tolerance) return Infinity;
    const cost = Math.sqrt(figures.windowMs * figures.batchWindowMs);
    return index === present ? cost * worthwhile : cost;
  });
  const least = Math.min(...costs);
  return least === Infinity || costs[present] === least ? present : costs.indexOf(least);
}
