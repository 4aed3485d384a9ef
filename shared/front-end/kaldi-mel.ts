import { createPowerSpectrum } from './power-spectrum';
import { encoderBands } from '../encoder/mobile-net';

/** Sample rate of the encoder's input, Hz. */
const encoderSampleRate = 32_000;
/** Hop between frames in samples: 10 ms. */
export const encoderHopSamples = 320;
/** Minimum input in samples, 0.5 s; a shorter one is padded with zeros. */
export const encoderMinSamples = 16_000;

const fftSamples = 1024;
const hannSamples = 800;
const preEmphasis = 0.97;
const highestHz = 15_000;
/** Added to the power of a band before the logarithm. */
const powerFloor = 1e-5;

/** A triangular filter: weights of the spectrum's bins from `first` on. */
interface Band {
  readonly first: number;
  readonly weights: Float64Array;
}

/** 128 triangles of height 1, equally spaced on the mel scale of Kaldi from 0 to 15 kHz. */
const kaldiBands: readonly Band[] = Array.from({ length: encoderBands }, (_, band) => {
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

/** The window function of a frame: a symmetric Hann window of 800 samples in the middle of 1,024. */
const kaldiWindow: Float64Array = Float64Array.from({ length: fftSamples }, (_, i) => {
  const k = i - (fftSamples - hannSamples) / 2;
  return k < 0 || k >= hannSamples ? 0 : 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / (hannSamples - 1));
});

function melOf(hertz: number): number {
  return 1127 * Math.log(1 + hertz / 700);
}

/** Returns the number of frames of `samples` samples. */
export function kaldiFrames(samples: number): number {
  return 1 + Math.floor((samples - 1) / encoderHopSamples);
}

const spectrumOf = createPowerSpectrum(fftSamples);
const frame = new Float64Array(fftSamples);
const spectrum = new Float64Array(fftSamples / 2);

/**
 * Computes the encoder's input in double precision: the log-mel energies of pre-emphasised frames of 25
 * ms every 10 ms, (ln(power + 1e-5) + 4.5) / 5. The level is not normalised. The signal is mirrored at
 * its ends.
 * @param samples mono at 32 kHz, at least 514
 * @returns [frames × 128], frame by frame, low bands first
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
      picture[t * encoderBands + band] = (Math.log(power + powerFloor) + 4.5) / 5;
    });
  }
  return picture;
}
