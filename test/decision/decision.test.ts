import { mean } from '../../shared/decision/mean';
import { classLogits, evidenceOf, tagProbabilities } from '../../shared/decision/rejection';
import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import { topK } from '../../shared/decision/top-k';
import { verdictOf, verdictOfWindows } from '../../shared/decision/verdict';

describe('topK', () => {
  const classes = ['dog', 'rain', 'clock'];

  it('gives the k most probable, most probable first', () => {
    expect(topK(new Float32Array([0.25, 0.125, 0.625]), classes, 2)).toEqual([
      { label: 'clock', probability: 0.625 },
      { label: 'dog', probability: 0.25 },
    ]);
  });

  it('keeps the order of the classes among equals', () => {
    expect(topK([0.25, 0.5, 0.25], classes, 3).map(({ label }) => label)).toEqual(['rain', 'dog', 'clock']);
  });

  it('gives all when k is larger than their number', () => {
    expect(topK([0.5, 0.3, 0.2], classes, 99)).toHaveLength(3);
  });

  it('refuses probabilities of another length than the classes', () => {
    expect(() => topK([1], classes, 1)).toThrow('each of 3 classes, got 1');
  });
});

describe('mean', () => {
  it('averages element by element', () => {
    expect([
      ...mean([new Float32Array([1, 0]), new Float32Array([0, 0.5]), new Float32Array([0.5, 1])]),
    ]).toEqual([0.5, 0.5]);
  });

  it('does not lose small values to single precision', () => {
    // 2^24 + 1 is not a float32: summed in single precision the ones would vanish.
    expect(mean([[2 ** 24], [1], [1], [2]])[0]).toBe((2 ** 24 + 4) / 4);
  });

  it.each([
    ['nothing', []],
    ['different lengths', [[1, 2], [1]]],
  ])('refuses %s', (_, vectors) => {
    expect(() => mean(vectors)).toThrow(RangeError);
  });
});

describe('meanProbabilities', () => {
  it('is the mean of the softmaxes, not the softmax of the mean', () => {
    const [log3] = [Math.log(3)];
    const rows = [Float32Array.of(log3, 0), Float32Array.of(0, log3), Float32Array.of(log3, 0)];
    // (0.75 + 0.25 + 0.75) / 3
    expect(meanProbabilities(rows)[0]).toBeCloseTo(7 / 12, 6);
  });

  it('divides the logits by the temperature', () => {
    expect(meanProbabilities([Float32Array.of(Math.log(9), 0)], 2)[0]).toBeCloseTo(0.75, 6);
  });
});

describe('the evidence for a class', () => {
  it('is not judged by a network that has class logits alone', () => {
    expect(evidenceOf([Float32Array.of(5, 1)], 2)).toBeUndefined();
    expect(tagProbabilities([Float32Array.of(5, 1)], 2)).toBeUndefined();
    expect(classLogits(Float32Array.of(5, 1, 7), 2)).toEqual(Float32Array.of(5, 1));
    expect(classLogits(Float32Array.of(5, 1), 2)).toEqual(Float32Array.of(5, 1));
  });

  it('on an encoder is its own tag on a logarithmic scale from 0.0001 to 1, and the mean over the networks', () => {
    const logOdds = (probability: number): number => Math.log(probability / (1 - probability));
    const row = (first: number, second: number): Float32Array =>
      Float32Array.of(5, 1, logOdds(first), logOdds(second), ...new Float32Array(527).fill(logOdds(0.2)));
    const [first, second] = evidenceOf([row(0.01, 1e-6)], 2)!;
    expect(first).toBeCloseTo(0.5, 5);
    expect(second).toBe(0);
    expect(evidenceOf([row(0.01, 0.1), row(0.1, 0.1)], 2)![0]).toBeCloseTo((0.5 + 0.75) / 2, 5);
    const tags = tagProbabilities([row(0.5, 0.5)], 2)!;
    expect(tags).toHaveLength(527);
    expect(tags[526]).toBeCloseTo(0.2, 6);
    expect(classLogits(row(0.5, 0.5), 2)).toEqual(Float32Array.of(5, 1));
  });
});

describe('a verdict', () => {
  const options = { classes: ['dog', 'rain', 'clock'], topK: 2, unknownBelow: 0.5 };
  const window = (
    probabilities: number[],
    loudestDecibels = -20,
    power = 1,
  ): Parameters<typeof verdictOfWindows>[0][number] => ({
    probabilities,
    loudestDecibels,
    power,
  });

  it('names the most probable class, and all the same when it is unknown', () => {
    expect(verdictOf(window([0.1, 0.7, 0.2]), options)).toEqual({
      label: 'rain',
      unknown: false,
      confidence: 0.7,
      predictions: [
        { label: 'rain', probability: 0.7 },
        { label: 'clock', probability: 0.2 },
      ],
    });
    expect(verdictOf(window([0.3, 0.4, 0.3]), options)).toMatchObject({
      label: 'unknown',
      unknown: true,
      confidence: 0.4,
      predictions: [{ label: 'rain' }, { label: 'dog' }],
    });
    expect(verdictOf(window([0.3, 0.4, 0.3]), { ...options, unknownBelow: undefined })).toMatchObject({
      label: 'rain',
      unknown: false,
    });
  });

  it('names every class at its own threshold or above where classes do not exclude each other', () => {
    const several = { ...options, unknownBelow: 0, thresholds: [0.3, 0.75, 0.1] };
    expect(verdictOf(window([0.6, 0.7, 0.1]), several)).toEqual({
      label: 'dog',
      unknown: false,
      confidence: 0.6,
      labels: [
        { label: 'dog', probability: 0.6 },
        { label: 'clock', probability: 0.1 },
      ],
      predictions: [
        { label: 'rain', probability: 0.7 },
        { label: 'dog', probability: 0.6 },
      ],
    });
    const none = { label: 'unknown', unknown: true, confidence: 0.7, labels: [] };
    expect(verdictOf(window([0.2, 0.7, 0]), several)).toMatchObject(none);
    // What is too quiet to be heard is nothing.
    expect(verdictOf(window([0.9, 0.9, 0.9], -90), several)).toMatchObject({ label: 'unknown', labels: [] });
    // One class in each of two windows: neither reaches its threshold on average, and the clip holds
    // something all the same.
    const [dog, clock] = [window([0.31, 0, 0]), window([0, 0, 0.11])];
    expect(verdictOfWindows([dog, clock], several)).toMatchObject({
      label: 'dog',
      labels: [{ label: 'dog' }],
    });
  });

  it('is unknown where the most probable class is probable but little else speaks for it', () => {
    const sure = window([0.1, 0.8, 0.1]);
    expect(verdictOf({ ...sure, evidence: [1, 0.7, 1] }, options)).toMatchObject({
      label: 'rain',
      confidence: expect.closeTo(0.56, 10) as number,
    });
    expect(verdictOf({ ...sure, evidence: [1, 0.6, 1] }, options)).toMatchObject({
      unknown: true,
      confidence: expect.closeTo(0.48, 10) as number,
    });
    const strange = { ...sure, evidence: [0.1, 0.1, 0.1] };
    expect(verdictOfWindows([strange, window([0.6, 0.2, 0.2])], options).label).toBe('dog');
    expect(verdictOfWindows([strange, strange], options).label).toBe('unknown');
  });

  it('of a clip is that of the windows in which a class is heard', () => {
    const verdict = verdictOfWindows([window([0.9, 0.05, 0.05]), window([0.3, 0.4, 0.3])], options);
    expect(verdict).toMatchObject({ label: 'dog', unknown: false, confidence: 0.9 });
  });

  it('leaves out windows of silence beside sound, however sure of them', () => {
    const verdict = verdictOfWindows([window([0.6, 0.2, 0.2], -20), window([0, 1, 0], -46)], options);
    expect(verdict).toMatchObject({ label: 'dog', confidence: 0.6 });
    const even = verdictOfWindows([window([0.6, 0.2, 0.2], -20), window([0, 1, 0], -44)], options);
    expect(even.label).toBe('rain');
  });

  it('is the mean over its windows by their power', () => {
    const [loud, quiet] = [window([0.6, 0.4, 0], -20, 0.03), window([0.2, 0.8, 0], -20, 0.01)];
    const verdict = verdictOfWindows([loud, quiet], { ...options, unknownBelow: 0 });
    // (3 · 0.6 + 0.2) / 4 against (3 · 0.4 + 0.8) / 4
    for (const { probability } of verdict.predictions) expect(probability).toBeCloseTo(0.5, 12);
    expect(verdict.predictions).toHaveLength(2);
  });

  it('is not named by one window of many', () => {
    const other = window([0.3, 0.4, 0.3]);
    const verdict = verdictOfWindows([window([0.9, 0.05, 0.05]), other, other, other], options);
    expect(verdict).toMatchObject({ label: 'unknown', unknown: true });
  });

  it('is unknown where every window is, with the mean of them', () => {
    const verdict = verdictOfWindows([window([0.4, 0.3, 0.3]), window([0.2, 0.4, 0.4])], options);
    expect(verdict).toMatchObject({ label: 'unknown', unknown: true });
    expect(verdict.confidence).toBeCloseTo(0.35, 10);
  });

  it('is not unknown where windows know different classes', () => {
    const verdict = verdictOfWindows([window([0.6, 0.2, 0.2]), window([0.1, 0.3, 0.6])], options);
    expect(verdict).toMatchObject({ unknown: false, label: 'clock' });
  });

  it('of nothing but silence is unknown, however sure the network, where a model knows the unknown', () => {
    const silence = [window([0.9, 0.05, 0.05], -Infinity, 0)];
    expect(verdictOfWindows(silence, options).label).toBe('unknown');
    expect(verdictOfWindows(silence, { ...options, unknownBelow: undefined }).label).toBe('dog');
    expect(verdictOf(window([0.9, 0.05, 0.05], -86), options).unknown).toBe(true);
    expect(verdictOf(window([0.9, 0.05, 0.05], -84), options).unknown).toBe(false);
  });
});
