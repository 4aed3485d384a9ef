import { sliceWindows } from '../../shared/signal/windows';

const spans = (seconds: number, windowSeconds = 5, hopSeconds = 2.5): [number, number, number][] =>
  sliceWindows(new Float32Array(Math.round(seconds * 16_000)), 16_000, windowSeconds, hopSeconds).map(
    ({ startSeconds, endSeconds, samples }) => [startSeconds, endSeconds, samples.length],
  );

describe('sliceWindows', () => {
  it('gives a clip shorter than a window as it is', () => {
    expect(spans(1.5)).toEqual([[0, 1.5, 24_000]]);
  });

  it('gives a clip of exactly a window as one', () => {
    expect(spans(5)).toEqual([[0, 5, 80_000]]);
  });

  it('overlooks a tail as short as encoders leave behind', () => {
    expect(spans(5.001)).toEqual([[0, 5, 80_000]]);
    expect(spans(5.0499)).toHaveLength(1);
  });

  it('adds a window that ends with the clip when a tail would stay unheard', () => {
    expect(spans(5.05)).toEqual([
      [0, 5, 80_000],
      [0.05, 5.05, 80_000],
    ]);
    expect(spans(6)).toEqual([
      [0, 5, 80_000],
      [1, 6, 80_000],
    ]);
    expect(spans(9)).toEqual([
      [0, 5, 80_000],
      [2.5, 7.5, 80_000],
      [4, 9, 80_000],
    ]);
  });

  it('needs no such window when the hops fit', () => {
    expect(spans(10).map(([start]) => start)).toEqual([0, 2.5, 5]);
  });

  it('steps by whole windows when the hop is as long', () => {
    expect(spans(12, 5, 5).map(([start]) => start)).toEqual([0, 5, 7]);
  });

  it('does not drift with a hop that is no whole number of samples', () => {
    const hop = 1 / 3;
    expect(spans(60, 5, hop).at(-1)?.[0]).toBe(55);
    expect(spans(60, 5, hop)[90]?.[0]).toBe(30);
  });

  it('gives views of the clip’s own samples', () => {
    const clip = Float32Array.from({ length: 60 }, (_, index) => index);
    const windows = sliceWindows(clip, 10, 2, 1.5);
    expect(windows.map(({ samples }) => samples[0])).toEqual([0, 15, 30, 40]);
    expect(windows[1]?.samples.buffer).toBe(clip.buffer);
  });

  for (const [window, hop] of [
    [0, 1],
    [1, 0],
    [1, -1],
    [NaN, 1],
  ] as const) {
    it(`refuses a window of ${window} s with a hop of ${hop} s`, () => {
      expect(() => sliceWindows(new Float32Array(10), 10, window, hop)).toThrow(RangeError);
    });
  }
});
