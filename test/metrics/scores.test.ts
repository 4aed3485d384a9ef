import { classScores } from '../../shared/metrics/class-scores';
import { confusionMatrix } from '../../shared/metrics/confusion-matrix';
import { crossEntropy } from '../../shared/metrics/cross-entropy';
import { spread } from '../../shared/metrics/spread';
import { summariseFolds } from '../../shared/metrics/summarise-folds';
import { wilsonInterval } from '../../shared/metrics/wilson-interval';

describe('confusionMatrix', () => {
  it('counts true classes in rows and predicted ones in columns', () => {
    expect(confusionMatrix([0, 0, 1, 2, 2, 2], [0, 1, 1, 0, 2, 2], 3)).toEqual([
      [1, 1, 0],
      [0, 1, 0],
      [1, 0, 2],
    ]);
  });

  it.each([
    ['a label beyond the classes', [3], [0]],
    ['a prediction beyond the classes', [0], [3]],
    ['a label that is no whole number', [0.5], [0]],
    ['a negative label', [-1], [0]],
    ['fewer predictions than labels', [0, 1], [0]],
  ])('refuses %s', (_, labels, predictions) => {
    expect(() => confusionMatrix(labels, predictions, 3)).toThrow(RangeError);
  });
});

describe('classScores', () => {
  // Class 0: 5 of its 8 clips found, 3 others taken for it. Class 2 has no clip, class 3 no prediction.
  const confusion = [
    [5, 2, 1, 0],
    [2, 6, 0, 0],
    [0, 0, 0, 0],
    [1, 3, 0, 0],
  ];

  it('sees one class against the rest of all clips', () => {
    const scores = classScores(confusion, 0);
    expect(scores.support).toBe(8);
    expect(scores.precision).toBeCloseTo(5 / 8, 15);
    expect(scores.recall).toBeCloseTo(5 / 8, 15);
    expect(scores.f1).toBeCloseTo(5 / 8, 15);
  });

  it('gives F1 as the harmonic mean of precision 6/11 and recall 6/8', () => {
    expect(classScores(confusion, 1).f1).toBeCloseTo(2 / (11 / 6 + 8 / 6), 15);
  });

  it('scores 0 where a class has no clips or no predictions', () => {
    expect(classScores(confusion, 2)).toEqual({ support: 0, precision: 0, recall: 0, f1: 0 });
    expect(classScores(confusion, 3)).toEqual({ support: 4, precision: 0, recall: 0, f1: 0 });
    expect(
      classScores(
        [
          [0, 0],
          [0, 3],
        ],
        0,
      ),
    ).toEqual({ support: 0, precision: 0, recall: 0, f1: 0 });
  });
});

describe('wilsonInterval', () => {
  // statsmodels 0.15: proportion_confint(k, n, method='wilson')
  it.each([
    [42, 80, 0.41695642649729936, 0.6307526670259243],
    [40, 80, 0.3929741508611972, 0.6070258491388029],
    [1, 8, 0.022417491450056642, 0.47088818221285356],
    [8, 10, 0.49016247153664183, 0.9433178485456247],
    [0, 80, 0, 0.04581812953552712],
    [80, 80, 0.9541818704644728, 1],
  ])('of %d in %d agrees with statsmodels', (successes, trials, lower, upper) => {
    const interval = wilsonInterval(successes, trials);
    expect(interval.lower).toBeCloseTo(lower, 14);
    expect(interval.upper).toBeCloseTo(upper, 14);
  });

  it.each([
    [0, 0],
    [-1, 8],
    [9, 8],
    [NaN, 8],
  ])('refuses %d in %d', (successes, trials) => {
    expect(() => wilsonInterval(successes, trials)).toThrow(RangeError);
  });
});

describe('crossEntropy', () => {
  it('is the mean of −ln p of the true class', () => {
    const rows = [Float32Array.of(0.5, 0.5), Float32Array.of(0.25, 0.75), Float32Array.of(0.125, 0.875)];
    // (ln 2 + ln 4 + ln 8) / 3 = 2 ln 2
    expect(crossEntropy([0, 0, 0], rows)).toBeCloseTo(2 * Math.LN2, 12);
  });

  it('counts an underflowed probability as the smallest that Float32 holds', () => {
    expect(crossEntropy([0], [Float32Array.of(0, 1)])).toBeCloseTo(149 * Math.LN2, 9);
  });

  it('is never below 0, though softmax may round above 1', () => {
    expect(crossEntropy([0], [Float32Array.of(1.0000001, 0)])).toBe(0);
  });
});

describe('spread', () => {
  it('divides by n − 1', () => {
    // Deviations from 5: −3, −1, −1, −1, 0, 0, 2, 4; their squares sum to 32.
    const { mean, standardDeviation } = spread([2, 4, 4, 4, 5, 5, 7, 9]);
    expect(mean).toBe(5);
    expect(standardDeviation).toBeCloseTo(Math.sqrt(32 / 7), 15);
  });

  it('knows no deviation of a single value', () => {
    expect(spread([0.4])).toEqual({ mean: 0.4, standardDeviation: null });
  });

  it('refuses an empty list', () => {
    expect(() => spread([])).toThrow(RangeError);
  });
});

describe('summariseFolds', () => {
  it('averages the report’s validation accuracies of the cnn to 40.31 %', () => {
    const figures = { epoch: 1, validationMacroF1: 0, testAccuracy: 0.5, testMacroF1: 0.25 };
    const folds = [0.475, 0.35, 0.4125, 0.375].map((validationAccuracy, index) => ({
      validationFold: index + 2,
      trainFolds: [2, 3, 4, 5].filter((fold) => fold !== index + 2),
      best: { ...figures, validationAccuracy },
      last: { ...figures, validationAccuracy: 0.1 * (index + 1) },
    }));
    const summary = summariseFolds(1, folds);
    expect(summary.best?.validationAccuracy.mean).toBeCloseTo(0.403125, 12);
    // Deviations 0.071875, −0.053125, 0.009375, −0.028125: squares sum to 0.00886719.
    expect(summary.best?.validationAccuracy.standardDeviation).toBeCloseTo(Math.sqrt(0.0088671875 / 3), 12);
    expect(summary.last.validationAccuracy.mean).toBeCloseTo(0.25, 12);
    expect(summary.last.testMacroF1).toEqual({ mean: 0.25, standardDeviation: 0 });
    expect(summary.folds).toEqual(folds);
  });
});
