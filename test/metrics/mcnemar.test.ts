import { mcnemarExact } from '../../shared/metrics/mcnemar';

describe('McNemar’s exact test', () => {
  // Worked by hand: (1 + 6) ÷ 2⁶ and 1 ÷ 2⁵, doubled. The others: sums of binomial coefficients in
  // rational arithmetic.
  it.each([
    [1, 5, 0.21875],
    [5, 0, 0.0625],
    [3, 3, 1],
    [0, 0, 1],
    [31, 12, 0.005401572654591291],
    [700, 800, 0.010559255466711544],
  ])('gives %i to %i a probability of %d', (first, second, expected) => {
    expect(mcnemarExact(first, second)).toBeCloseTo(expected, 12);
  });

  it('does not vanish for many clips', () => {
    expect(mcnemarExact(5000, 5001)).toBeCloseTo(1, 2);
  });
});
