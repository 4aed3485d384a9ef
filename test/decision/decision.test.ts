import { mean } from '../../shared/decision/mean';
import { topK } from '../../shared/decision/top-k';

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
