import { mixToMono } from '../../shared/audio/mono';

describe('mixToMono', () => {
  it('gives one channel as it is', () => {
    expect([...mixToMono([Float32Array.of(1, -1)])]).toEqual([1, -1]);
  });

  it('gives the mean of several', () => {
    const channels = [Float32Array.of(1, 0.5), Float32Array.of(0, 0.5), Float32Array.of(-0.25, 0.5)];
    expect([...mixToMono(channels)]).toEqual([0.25, 0.5]);
  });

  it('does not overflow where the sum would', () => {
    const large = Float32Array.of(3e38);
    expect(mixToMono([large, large])[0]).toBe(large[0]);
  });

  it('refuses no channel', () => {
    expect(() => mixToMono([])).toThrow(RangeError);
  });
});
