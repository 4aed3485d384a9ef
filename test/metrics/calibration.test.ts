import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import { fitTemperature } from '../../shared/metrics/fit-temperature';
import { reliability } from '../../shared/metrics/reliability';
import { type ClipAnswers } from '../../services/trainer/optimise/predict';
import { calibrate } from '../../services/trainer/evaluate/calibrate';

describe('reliability', () => {
  it('is the mean distance of confidence and accuracy over bins, by hand', () => {
    // Bin 0.9–1: two clips, sure by 0.95 and 0.91, one right: |0.93 − 0.5| · 2. Bin 0.6–0.7: one, 0.65,
    // right: 0.35.
    const { expectedCalibrationError, bins } = reliability(
      [0, 1, 1],
      [Float32Array.of(0.95, 0.05), Float32Array.of(0.91, 0.09), Float32Array.of(0.35, 0.65)],
    );
    expect(expectedCalibrationError).toBeCloseTo((0.86 + 0.35) / 3, 6);
    expect(bins.map(({ clips, accuracy }) => [clips, accuracy])).toEqual([
      [1, 1],
      [2, 0.5],
    ]);
  });
});

describe('the temperature', () => {
  it('finds the one that labels were drawn with', () => {
    // Of 10 clips with logits (ln 3 · 2, 0), 7.5 would be right at temperature 2: softmax is then (0.75,
    // 0.25).
    const logits = Array.from({ length: 40 }, () => [Float32Array.of(2 * Math.log(3), 0)]);
    const labels = logits.map((_, clip) => (clip < 30 ? 0 : 1));
    expect(fitTemperature(labels, logits)).toBeCloseTo(2, 3);
  });

  it('is fitted on the mean over inputs', () => {
    const four = Array.from({ length: 40 }, () => [Float32Array.of(3, 0), Float32Array.of(1, 0)]);
    const labels = four.map((_, clip) => Number(clip >= 30));
    const loss = (t: number): number =>
      labels.reduce((sum, label, clip) => sum - Math.log(meanProbabilities(four[clip]!, t)[label]!), 0);
    const fitted = fitTemperature(labels, four);
    expect(fitted).toBeGreaterThan(1.5);
    expect(fitted).toBeLessThan(2);
    expect(loss(fitted)).toBeLessThanOrEqual(Math.min(loss(fitted * 1.05), loss(fitted / 1.05)));
  });
});

describe('calibrating a version', () => {
  it('lets 95 % of the clips pass and counts what else does', () => {
    const logits = Array.from({ length: 100 }, (_, clip) => [Float32Array.of(clip / 20, 0)]);
    const labels = logits.map((_, clip) => (clip % 7 === 0 ? 1 : 0));
    const answers = (rows: Float32Array[][], evidence = 1): ClipAnswers => ({
      logits: rows,
      evidence: rows.map(() => Float32Array.of(evidence, evidence)),
    });
    const { unknown, temperature } = calibrate(labels, answers(logits), {
      weak: answers([[Float32Array.of(0.1, 0)], [Float32Array.of(0, 0)]]),
      strong: answers([[Float32Array.of(4, 0)]]),
      strange: answers([[Float32Array.of(4, 0)]], 0.5),
    });
    // The sixth lowest, clip 5, is the first to pass.
    expect(unknown.trueAcceptRate).toBe(0.95);
    expect(unknown.threshold).toBeCloseTo(1 / (1 + Math.exp(-5 / 20 / temperature)), 6);
    expect(unknown.kinds).toEqual([
      { kind: 'weak', sounds: 2, falseAcceptRate: 0 },
      { kind: 'strong', sounds: 1, falseAcceptRate: 1 },
      { kind: 'strange', sounds: 1, falseAcceptRate: 0 },
    ]);
    expect(unknown.falseAcceptRate).toBeCloseTo(1 / 4, 10);
    // Pairs won of 100 each: weak 97.5 (0.1 ties clip 2) and 99.5, strong 19.5; strange, however sure,
    // is below half and loses to all.
    expect(unknown.auroc).toBeCloseTo((97.5 + 99.5 + 19.5 + 100) / 400, 6);
  });
});
