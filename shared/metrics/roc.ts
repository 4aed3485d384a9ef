import type { RocPoint } from '../contracts/evaluation';

export interface Roc {
  /** Probability that a positive scores higher than a negative; ties count half (Mann–Whitney). */
  readonly auc: number;
  /** The points from (0, 0) to (1, 1), at most `maxPoints`. */
  readonly points: RocPoint[];
}

/** A corner of the curve, in clips. */
interface Corner {
  readonly falsePositives: number;
  readonly truePositives: number;
}

/**
 * Computes the ROC curve of one score for a binary truth, and the area under it. Equal scores cross the
 * threshold together and give one slanted step, so the order of the clips does not matter.
 *
 * The area is that of the whole curve. Points on a straight line are left out. If more than `maxPoints`
 * remain, points closer than 2 / (maxPoints − 2) to the last kept one along the curve are left out as
 * well.
 * @param positives whether each clip belongs to the class
 * @param scores the class's score of each clip; only their order counts
 * @returns null when all clips or none are positive, because there is no curve then
 */
export function roc(positives: readonly boolean[], scores: ArrayLike<number>, maxPoints = 200): Roc | null {
  const positiveCount = positives.filter(Boolean).length;
  const negativeCount = positives.length - positiveCount;
  if (positiveCount === 0 || negativeCount === 0) return null;
  const corners = cornersOf(positives, scores);
  const points = withoutStraights(corners).map((corner) => ({
    falsePositiveRate: corner.falsePositives / negativeCount,
    truePositiveRate: corner.truePositives / positiveCount,
  }));
  return {
    auc: doubledArea(corners) / (2 * positiveCount * negativeCount),
    points: thinned(points, maxPoints),
  };
}

/** Returns one corner for each distinct score, highest first, preceded by (0, 0). */
function cornersOf(positives: readonly boolean[], scores: ArrayLike<number>): Corner[] {
  const order = Array.from(positives.keys()).sort((a, b) => scores[b]! - scores[a]!);
  const corners: Corner[] = [{ falsePositives: 0, truePositives: 0 }];
  let falsePositives = 0;
  let truePositives = 0;
  order.forEach((clip, rank) => {
    if (positives[clip]) truePositives += 1;
    else falsePositives += 1;
    const next = order[rank + 1];
    if (next === undefined || scores[next] !== scores[clip]) corners.push({ falsePositives, truePositives });
  });
  return corners;
}

/** Returns twice the area under the corners by the trapezoid rule: an integer, and therefore exact. */
function doubledArea(corners: readonly Corner[]): number {
  let area = 0;
  for (let index = 1; index < corners.length; index += 1) {
    const from = corners[index - 1]!;
    const to = corners[index]!;
    area += (to.falsePositives - from.falsePositives) * (to.truePositives + from.truePositives);
  }
  return area;
}

function withoutStraights(corners: readonly Corner[]): Corner[] {
  return corners.filter((corner, index) => {
    const from = corners[index - 1];
    const to = corners[index + 1];
    if (!from || !to) return true;
    const before = (corner.falsePositives - from.falsePositives) * (to.truePositives - corner.truePositives);
    const after = (corner.truePositives - from.truePositives) * (to.falsePositives - corner.falsePositives);
    return before !== after;
  });
}

/**
 * The curve has length 2 (up and right together), so at most maxPoints − 2 steps fit between its ends.
 */
function thinned(points: readonly RocPoint[], maxPoints: number): RocPoint[] {
  if (points.length <= maxPoints) return [...points];
  const step = 2 / (maxPoints - 2);
  const along = (point: RocPoint): number => point.falsePositiveRate + point.truePositiveRate;
  const kept = [points[0]!];
  for (const point of points.slice(1, -1)) {
    if (along(point) - along(kept.at(-1)!) >= step) kept.push(point);
  }
  kept.push(points.at(-1)!);
  return kept;
}
