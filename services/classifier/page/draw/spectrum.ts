import { createFft } from './fft.js';

/** Rows of the picture, lowest pitch first. */
export const spectrumRows = 96;
/** Columns of the picture a second; a column is one CSS pixel wide. */
export const columnsPerSecond = 50;
const [lowestHz, highestHz] = [60, 12_000];
/** Levels of the darkest and the brightest colour, in dB relative to a full-scale sine. */
const [floorDb, ceilingDb] = [-96, -18];

/**
 * Turns the newest `size` samples into a column of the spectrogram: 0 … 255 a row, on a logarithmic
 * pitch axis.
 */
export interface SpectrumAnalyser {
  readonly size: number;
  column(samples: Float32Array): Uint8Array;
}

/** @param sampleRate Hz */
export function createSpectrumAnalyser(sampleRate: number, size = 2048): SpectrumAnalyser {
  const fft = createFft(size);
  const hann = Float32Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
  const windowed = new Float32Array(size);
  const power = new Float32Array(size / 2 + 1);
  const edges = rowEdges(sampleRate, size);
  // A full-scale sine under a Hann window has its peak bin at size/4.
  const fullScale = (size / 4) ** 2;

  return {
    size,
    column(samples) {
      for (let i = 0; i < size; i += 1) windowed[i] = samples[i]! * hann[i]!;
      fft.powerSpectrum(windowed, power);
      return Uint8Array.from({ length: spectrumRows }, (_, row) => {
        const peak = peakBetween(power, edges[row]!, edges[row + 1]!);
        const db = 10 * Math.log10(peak / fullScale + 1e-12);
        return Math.max(0, Math.min(255, Math.round((255 * (db - floorDb)) / (ceilingDb - floorDb))));
      });
    },
  };
}

/**
 * Lower edge of each row in fractional FFT bins; the last entry is the upper edge of the highest row.
 */
function rowEdges(sampleRate: number, size: number): number[] {
  const highest = Math.min(highestHz, sampleRate / 2);
  return Array.from({ length: spectrumRows + 1 }, (_, row) => {
    const hertz = lowestHz * (highest / lowestHz) ** (row / spectrumRows);
    return (hertz * size) / sampleRate;
  });
}

/**
 * The largest power in a range of bins. A range without a whole bin, as low rows have, is interpolated
 * between its two neighbours.
 */
function peakBetween(power: Float32Array, from: number, to: number): number {
  const first = Math.ceil(from);
  const last = Math.min(power.length - 1, Math.ceil(to) - 1);
  if (first > last) {
    const below = Math.floor(from);
    const fraction = (from + to) / 2 - below;
    return power[below]! * (1 - fraction) + (power[below + 1] ?? 0) * fraction;
  }
  let peak = 0;
  for (let bin = first; bin <= last; bin += 1) peak = Math.max(peak, power[bin]!);
  return peak;
}
