import {
  rateInterval,
  recordingsInterval,
  scoresByRecording,
} from '../../shared/metrics/recordings-interval';
import { wilsonInterval } from '../../shared/metrics/wilson-interval';

/** So many recordings of this many clips, of which the first `right` are wholly right. */
function recordings(count: number, clips: number, right: number): { clips: number; correct: number }[] {
  return Array.from({ length: count }, (_, index) => ({ clips, correct: index < right ? clips : 0 }));
}

describe('recordingsInterval', () => {
  it.each([
    [80, 1, 40],
    [80, 1, 72],
    [20, 4, 10],
    [61, 3, 45],
  ])('is as wide as the deviation of %i recordings of %i clips, %i right', (count, clips, right) => {
    const { lower, upper } = recordingsInterval(recordings(count, clips, right));
    const share = right / count;
    const half = 1.96 * Math.sqrt((share * (1 - share)) / count);
    expect(lower).toBeGreaterThan(share - half - 0.02);
    expect(lower).toBeLessThan(share - half + 0.02);
    expect(upper).toBeGreaterThan(share + half - 0.02);
    expect(upper).toBeLessThan(share + half + 0.02);
  });

  it('grows when the same clips are of fewer recordings', () => {
    const width = ({ lower, upper }: { lower: number; upper: number }): number => upper - lower;
    const alone = width(recordingsInterval(recordings(80, 1, 60)));
    const fours = width(recordingsInterval(recordings(20, 4, 15)));
    expect(fours).toBeGreaterThan(1.6 * alone);
  });

  it('has a width where every recording is right, or none: Wilson’s of the recordings', () => {
    expect(recordingsInterval(recordings(61, 2, 61))).toEqual(wilsonInterval(61, 61));
    expect(recordingsInterval(recordings(61, 2, 0))).toEqual(wilsonInterval(0, 61));
    expect(() => recordingsInterval([])).toThrow(RangeError);
  });

  it('is the same each time', () => {
    const scores = recordings(30, 2, 17);
    expect(recordingsInterval(scores)).toEqual(recordingsInterval(scores));
  });
});

it('groups clips by their recording', () => {
  const scores = scoresByRecording(['a', 'b', 'a', 'c'], [true, false, false, true]);
  expect(scores).toEqual([
    { clips: 2, correct: 1 },
    { clips: 1, correct: 0 },
    { clips: 1, correct: 1 },
  ]);
});

describe('rateInterval', () => {
  it('is as wide as the deviation of a ratio of sums over recordings of different lengths', () => {
    const counts = Array.from({ length: 60 }, (_, index) => ({
      count: [0, 1, 0, 3][index % 4]!,
      size: [1, 2, 0.5, 1.5][(index * 7) % 4]!,
    }));
    const size = counts.reduce((sum, of) => sum + of.size, 0);
    const rate = counts.reduce((sum, of) => sum + of.count, 0) / size;
    // The linearised variance of a ratio estimator.
    const variance = counts.reduce((sum, of) => sum + (of.count - rate * of.size) ** 2, 0) / size ** 2;
    const { lower, upper } = rateInterval(counts);
    expect(Math.abs(upper - lower - 2 * 1.96 * Math.sqrt(variance))).toBeLessThan(0.1 * (upper - lower));
    expect((lower + upper) / 2).toBeCloseTo(rate, 1);
  });

  it('of nothing at all ends where nothing would be seen in 2.5 % of cases', () => {
    const { lower, upper } = rateInterval([
      { count: 0, size: 2 },
      { count: 0, size: 3 },
    ]);
    expect(lower).toBe(0);
    expect(Math.exp(-5 * upper)).toBeCloseTo(0.025, 4);
    expect(() => rateInterval([])).toThrow(RangeError);
  });
});
