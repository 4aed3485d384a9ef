export type NoiseColour = 'white' | 'pink' | 'brown';

/** Noise of a colour, of no particular level. */
export function noiseSamples(colour: NoiseColour, length: number, uniform: () => number): Float32Array {
  return makers[colour](length, uniform);
}

const makers: Readonly<Record<NoiseColour, (length: number, uniform: () => number) => Float32Array>> = {
  white: (length, uniform) => Float32Array.from({ length }, () => uniform() - 0.5),
  /**
   * 1/f to within a decibel: three first-order low-passes beside the white noise (P. Kellet's economy
   * filter).
   */
  pink: (length, uniform) => {
    let [low, middle, high] = [0, 0, 0];
    return Float32Array.from({ length }, () => {
      const white = uniform() - 0.5;
      low = 0.99765 * low + 0.099046 * white;
      middle = 0.963 * middle + 0.2965164 * white;
      high = 0.57 * high + 1.0526913 * white;
      return low + middle + high + 0.1848 * white;
    });
  },
  /** 1/f² above 20 Hz: a leaky sum. */
  brown: (length, uniform) => {
    let sum = 0;
    return Float32Array.from({ length }, () => (sum = 0.997 * sum + uniform() - 0.5));
  },
};
