import { evaluationSchema } from '../../shared/contracts/evaluation';
import { evaluateClassifier } from '../../shared/metrics/evaluate-classifier';
import reference from '../fixtures/metrics/scikit-learn.json';

const classes = ['dog', 'rain', 'sea waves', 'never heard'];
const evaluation = evaluateClassifier({
  labels: reference.labels,
  probabilities: reference.probabilities.map((row) => Float32Array.from(row)),
  classes,
});

describe('evaluateClassifier on 90 clips that scikit-learn has judged too', () => {
  it('agrees on accuracy, loss and the confusion matrix', () => {
    expect(evaluation.accuracy).toBeCloseTo(reference.accuracy, 14);
    expect(evaluation.loss).toBeCloseTo(reference.loss, 12);
    expect(evaluation.confusion).toEqual(reference.confusion);
    expect([evaluation.clips, evaluation.correct]).toEqual([90, 60]);
  });

  it.each(['precision', 'recall', 'f1', 'support'] as const)('agrees on each class’s %s', (score) => {
    evaluation.perClass.forEach((scores, index) => {
      expect(scores[score]).toBeCloseTo(reference[score][index]!, 14);
    });
    expect(evaluation.perClass.map((scores) => scores.class)).toEqual(classes);
  });

  it.each(['precision', 'recall', 'f1'] as const)('agrees on macro %s', (score) => {
    expect(evaluation.macro[score]).toBeCloseTo(reference.macro[score], 14);
  });

  it('agrees on each AUC, and has none for a class without clips', () => {
    evaluation.perClass.slice(0, 3).forEach(({ auc }, index) => {
      expect(auc).toBeCloseTo(reference.auc[index]!, 14);
    });
    expect(evaluation.perClass[3]).toMatchObject({ auc: null, roc: [] });
    expect(evaluation.macro.auc).toBeCloseTo(
      (reference.auc[0]! + reference.auc[1]! + reference.auc[2]!) / 3,
      14,
    );
  });

  it('draws each ROC curve through scikit-learn’s points', () => {
    evaluation.perClass.slice(0, 3).forEach(({ roc }, index) => {
      const { falsePositiveRate, truePositiveRate } = reference.roc[index]!;
      expect(roc.length).toBeGreaterThan(8);
      falsePositiveRate.forEach((x, i) => {
        expect(distanceToCurve(x, truePositiveRate[i]!, roc)).toBeLessThan(1e-12);
      });
    });
  });

  it('survives the way through JSON and its schema', () => {
    expect(evaluationSchema.parse(JSON.parse(JSON.stringify(evaluation)))).toEqual(evaluation);
  });
});

describe('evaluateClassifier', () => {
  const two = ['a', 'b'];

  it('takes the first of equally probable classes', () => {
    const tie = [Float32Array.of(0.5, 0.5)];
    expect(evaluateClassifier({ labels: [0], probabilities: tie, classes: two }).accuracy).toBe(1);
    expect(evaluateClassifier({ labels: [1], probabilities: tie, classes: two }).accuracy).toBe(0);
  });

  it('has no macro AUC when no class has a curve', () => {
    const one = evaluateClassifier({ labels: [1], probabilities: [Float32Array.of(0.1, 0.9)], classes: two });
    expect(one.macro.auc).toBeNull();
    expect(evaluationSchema.safeParse(one).success).toBe(true);
  });

  it.each([
    ['no clips', [], []],
    ['a missing row', [0, 1], [[0.5, 0.5]]],
    ['a row of another length', [0], [[0.2, 0.3, 0.5]]],
    ['NaN', [0], [[NaN, 0.5]]],
    ['a logit in place of a probability', [0], [[-1.5, 2.5]]],
    ['a label without a class', [2], [[0.5, 0.5]]],
  ])('refuses %s', (_, labels, rows) => {
    const probabilities = rows.map((row) => Float32Array.from(row));
    expect(() => evaluateClassifier({ labels, probabilities, classes: two })).toThrow(RangeError);
  });
});

interface Point {
  readonly falsePositiveRate: number;
  readonly truePositiveRate: number;
}

/** Shortest distance from (x, y) to the broken line through the points. */
function distanceToCurve(x: number, y: number, points: readonly Point[]): number {
  const distances = points.slice(1).map((to, index) => {
    const from = points[index]!;
    const dx = to.falsePositiveRate - from.falsePositiveRate;
    const dy = to.truePositiveRate - from.truePositiveRate;
    const along =
      ((x - from.falsePositiveRate) * dx + (y - from.truePositiveRate) * dy) / (dx * dx + dy * dy);
    const t = Math.min(1, Math.max(0, along));
    return Math.hypot(x - from.falsePositiveRate - t * dx, y - from.truePositiveRate - t * dy);
  });
  return Math.min(...distances);
}
