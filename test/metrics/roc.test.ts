import { roc } from '../../shared/metrics/roc';

/** AUC by its definition: the share of positive-negative pairs in the right order, ties half. O(n²). */
function mannWhitney(positives: readonly boolean[], scores: readonly number[]): number {
  let wins = 0;
  let pairs = 0;
  positives.forEach((positive, i) => {
    positives.forEach((other, j) => {
      if (!positive || other) return;
      pairs += 1;
      wins += scores[i]! > scores[j]! ? 1 : scores[i] === scores[j] ? 0.5 : 0;
    });
  });
  return wins / pairs;
}

/** Deterministic numbers in [0, 1). */
function sequence(length: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  });
}

describe('roc', () => {
  it('draws the hand-worked curve of six clips', () => {
    // Sorted: 0.9 +, 0.8 −, 0.7 +, 0.6 +, 0.5 −, 0.4 −. Of 9 pairs, 7 are in the right order.
    const curve = roc([true, false, true, true, false, false], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]);
    expect(curve?.auc).toBeCloseTo(7 / 9, 15);
    expect(curve?.points.map((p) => [p.falsePositiveRate * 3, p.truePositiveRate * 3])).toEqual([
      [0, 0],
      [0, 1],
      [1, 1],
      [1, 3],
      [3, 3],
    ]);
  });

  it('lets equal scores cross together in one slanted step', () => {
    const curve = roc([true, false, true, false], [0.5, 0.5, 0.9, 0.1]);
    expect(curve?.auc).toBe(7 / 8);
    expect(curve?.points.map((p) => [p.falsePositiveRate, p.truePositiveRate])).toEqual([
      [0, 0],
      [0, 0.5],
      [0.5, 1],
      [1, 1],
    ]);
  });

  it('is the diagonal, with an area of exactly one half, when all scores are equal', () => {
    const curve = roc([false, true, true, false, true], [0.1, 0.1, 0.1, 0.1, 0.1]);
    expect(curve).toEqual({
      auc: 0.5,
      points: [
        { falsePositiveRate: 0, truePositiveRate: 0 },
        { falsePositiveRate: 1, truePositiveRate: 1 },
      ],
    });
  });

  it.each([
    ['a perfect ranking', [0.9, 0.8, 0.2, 0.1], 1],
    ['a reversed ranking', [0.1, 0.2, 0.8, 0.9], 0],
  ])('gives %s its bound', (_, scores, auc) => {
    expect(roc([true, true, false, false], scores)?.auc).toBe(auc);
  });

  it.each([1, 2, 3, 4, 5])('equals the Mann–Whitney statistic, ties included (seed %d)', (seed) => {
    const scores = sequence(120, seed).map((value) => Math.round(value * 20));
    const positives = sequence(120, seed + 100).map((value, i) => value + scores[i]! / 40 > 0.8);
    expect(new Set(scores).size).toBeLessThan(30);
    expect(roc(positives, scores)?.auc).toBeCloseTo(mannWhitney(positives, scores), 14);
  });

  it.each([
    ['all clips are of the class', [true, true]],
    ['no clip is', [false, false]],
  ])('has no curve when %s', (_, positives) => {
    expect(roc(positives, [0.1, 0.9])).toBeNull();
  });

  it('bounds its points without changing the area', () => {
    const scores = sequence(20_000, 9);
    const positives = sequence(20_000, 10).map((value, i) => value + scores[i]! > 1);
    const thin = roc(positives, scores, 50)!;
    const full = roc(positives, scores, Infinity)!;
    expect(full.points.length).toBeGreaterThan(5_000);
    expect(thin.points.length).toBeLessThanOrEqual(50);
    expect(thin.points.length).toBeGreaterThan(40);
    expect(thin.auc).toBe(full.auc);
    expect(thin.points[0]).toEqual({ falsePositiveRate: 0, truePositiveRate: 0 });
    expect(thin.points.at(-1)).toEqual({ falsePositiveRate: 1, truePositiveRate: 1 });
    // What is left is on the curve, and its own area is close to the exact one.
    const onCurve = new Set(full.points.map((p) => `${p.falsePositiveRate} ${p.truePositiveRate}`));
    expect(thin.points.every((p) => onCurve.has(`${p.falsePositiveRate} ${p.truePositiveRate}`))).toBe(true);
    const drawn = thin.points.slice(1).reduce((area, p, i) => {
      const from = thin.points[i]!;
      return (
        area +
        ((p.falsePositiveRate - from.falsePositiveRate) * (p.truePositiveRate + from.truePositiveRate)) / 2
      );
    }, 0);
    expect(Math.abs(drawn - full.auc)).toBeLessThan(0.002);
  });
});
