import type { LogMelFrontEnd } from '../contracts/front-end';

/** A triangular filter: weights of the spectrum's bins from `first` on. */
export interface MelFilter {
  readonly first: number;
  readonly weights: Float64Array;
}

/**
 * Computes triangular filters whose edges and peaks are equally spaced on the HTK mel scale; each has
 * unit area in Hz.
 */
export function melFilters(frontEnd: LogMelFrontEnd): MelFilter[] {
  const { sampleRate, fftSamples, melBins, lowestHz, highestHz } = frontEnd;
  if (!(lowestHz < highestHz && highestHz <= sampleRate / 2)) {
    throw new RangeError(
      `expected lowestHz < highestHz ≤ half the sample rate, got ${lowestHz} and ${highestHz} at ${sampleRate}`,
    );
  }
  const binHz = sampleRate / fftSamples;
  const [low, high] = [melOf(lowestHz), melOf(highestHz)];
  const edge = (index: number): number => hertzOf(low + ((high - low) * index) / (melBins + 1));
  return Array.from({ length: melBins }, (_, mel) => {
    const [left, peak, right] = [edge(mel), edge(mel + 1), edge(mel + 2)];
    const first = Math.floor(left / binHz) + 1;
    const count = Math.max(0, Math.ceil(right / binHz) - first);
    const weights = Float64Array.from({ length: count }, (_, index) => {
      const hertz = (first + index) * binHz;
      const height = Math.min((hertz - left) / (peak - left), (right - hertz) / (right - peak));
      return Math.max(0, height) * (2 / (right - left));
    });
    return { first, weights };
  });
}

function melOf(hertz: number): number {
  return 2595 * Math.log10(1 + hertz / 700);
}

function hertzOf(mel: number): number {
  return 700 * (10 ** (mel / 2595) - 1);
}
