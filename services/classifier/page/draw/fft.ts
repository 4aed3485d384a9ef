/** A Fourier transform of a fixed size, a power of two, with precomputed tables. */
export interface Fft {
  readonly size: number;
  /**
   * Computes the power spectrum of a real signal.
   * @param samples `size` samples, not changed
   * @param power receives the power of the bins 0 … size/2
   */
  powerSpectrum(samples: Float32Array, power: Float32Array): void;
}

/**
 * Iterative radix-2 transform, decimation in time (Cooley and Tukey, 1965), in double precision.
 * @throws RangeError for a size that is no power of two
 */
export function createFft(size: number): Fft {
  const bits = Math.log2(size);
  if (!Number.isInteger(bits) || bits < 1) throw new RangeError(`expected a power of two, got ${size}`);
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  const cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
  const sines = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
  const reversed = Uint32Array.from({ length: size }, (_, index) => reverseBits(index, bits));

  return {
    size,
    powerSpectrum(samples, power) {
      for (let index = 0; index < size; index += 1) real[index] = samples[reversed[index]!]!;
      imaginary.fill(0);
      for (let half = 1; half < size; half *= 2) {
        const stride = size / (2 * half);
        for (let start = 0; start < size; start += 2 * half) {
          for (let k = 0; k < half; k += 1) {
            const [a, b] = [start + k, start + k + half];
            const [cosine, sine] = [cosines[k * stride]!, sines[k * stride]!];
            const re = real[b]! * cosine - imaginary[b]! * sine;
            const im = real[b]! * sine + imaginary[b]! * cosine;
            real[b] = real[a]! - re;
            imaginary[b] = imaginary[a]! - im;
            real[a]! += re;
            imaginary[a]! += im;
          }
        }
      }
      for (let bin = 0; bin <= size / 2; bin += 1) power[bin] = real[bin]! ** 2 + imaginary[bin]! ** 2;
    },
  };
}

function reverseBits(value: number, bits: number): number {
  let reversed = 0;
  for (let bit = 0; bit < bits; bit += 1) reversed |= ((value >> bit) & 1) << (bits - 1 - bit);
  return reversed;
}
