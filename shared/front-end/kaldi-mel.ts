import { createPowerSpectrum } from './power-spectrum';
import { encoderBands } from '../encoder/mobile-net';

/** Hz of the encoder's input. */
export const encoderSampleRate = 32_000;
/** Samples from one frame to the next: 10 ms. */
export const encoderHopSamples = 320;
/** Fewer samples than this are completed with zeros: half a second. */
export const encoderFewestSamples = 16_000;

const fftSamples = 1024;
const hannSamples = 800;
const preEmphasis = 0.97;
const highestHz = 15_000;
/** Added to a band's power before the logarithm. */
const smallestPower = 1e-5;

/** A triangle over the spectrum's bins from `first` on. */
export interface Band {
  readonly first: number;
  readonly weights: Float64Array;
}

/** 128 triangles of height 1, evenly spaced on the mel scale of Kaldi from 0 to 15 kHz. */
export const kaldiBands: readonly Band[] = Array.from({ length: encoderBands }, (_, band) => {
  const spacing = melOf(highestHz) / (encoderBands + 1);
  const heights = Float64Array.from({ length: fftSamples / 2 }, (_, bin) => {
    const mel = melOf((bin * encoderSampleRate) / fftSamples) / spacing;
    return Math.max(0, Math.min(mel - band, band + 2 - mel));
  });
  const first = Math.max(
    0,
    heights.findIndex((height) => height > 0),
  );
  return { first, weights: heights.slice(first, heights.findLastIndex((height) => height > 0) + 1) };
});

/** The window of a frame: 800 samples of a symmetric Hann window in the middle of 1,024. */
export const kaldiWindow: Float64Array = Float64Array.from({ length: fftSamples }, (_, i) => {
  const k = i - (fftSamples - hannSamples) / 2;
  return k < 0 || k >= hannSamples ? 0 : 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / (hannSamples - 1));
});

function melOf(hertz: number): number {
  return 1127 * Math.log(1 + hertz / 700);
}

/** Frames of so many samples. */
export function kaldiFrames(samples: number): number {
  return 1 + Math.floor((samples - 1) / encoderHopSamples);
}

const spectrumOf = createPowerSpectrum(fftSamples);
const frame = new Float64Array(fftSamples);
const spectrum = new Float64Array(fftSamples / 2);

/**
 * The encoder's picture of a sound in double precision: the log-mel energies of pre-emphasised frames of 25 ms every 10 ms,
 * (ln(power + 1e-5) + 4.5) / 5. Level is not normalised. Beyond its ends the sound is reflected.
 * @param samples mono at 32 kHz, at least 514
 * @returns [frames × 128], frame after frame, low bands first
 */
export function kaldiMel(samples: Float32Array): Float32Array {
  const frames = kaldiFrames(samples.length);
  const picture = new Float32Array(frames * encoderBands);
  const last = samples.length - 2; // of the pre-emphasised samples, which are one fewer
  const emphasised = (n: number): number => {
    const at = n < 0 ? -n : n > last ? 2 * last - n : n;
    return samples[at + 1]! - preEmphasis * samples[at]!;
  };
  for (let t = 0; t < frames; t++) {
    const start = t * encoderHopSamples - fftSamples / 2;
    for (let i = 0; i < fftSamples; i++)
      frame[i] = kaldiWindow[i] === 0 ? 0 : kaldiWindow[i]! * emphasised(start + i);
    spectrumOf(frame, spectrum);
    kaldiBands.forEach(({ first, weights }, band) => {
      let power = 0;
      for (let i = 0; i < weights.length; i++) power += weights[i]! * spectrum[first + i]!;
      picture[t * encoderBands + band] = (Math.log(power + smallestPower) + 4.5) / 5;
    });
  }
  return picture;
}
