import { melSpectrogram, type MelSpectrogram } from '../../../shared/audio/log-mel';
import type { LogMelFrontEnd } from '../../../shared/contracts/front-end';
import { windowSamples } from '../../../shared/contracts/front-end';
import { createUniform, deriveSeed } from '../../../shared/network/random';

/** Spectrograms of white, pink and brown noise, each of mean frame power 1: what rooms and cheap microphones add. */
export function noiseBank(frontEnd: LogMelFrontEnd, seed: number): MelSpectrogram[] {
  return [whiteNoise, pinkNoise, brownNoise].map((make, index) => {
    const samples = make(windowSamples(frontEnd), createUniform(deriveSeed(seed, 'noise', index)));
    const { frames, power, levels } = melSpectrogram(samples, frontEnd);
    const mean = power.reduce((sum, value) => sum + value, 0) / frames;
    return { frames, power: power.map((value) => value / mean), levels };
  });
}

function whiteNoise(length: number, uniform: () => number): Float32Array {
  return Float32Array.from({ length }, () => uniform() - 0.5);
}

/** 1/f to within a decibel: three first-order low-passes beside the white noise (P. Kellet's economy filter). */
function pinkNoise(length: number, uniform: () => number): Float32Array {
  let [low, middle, high] = [0, 0, 0];
  return Float32Array.from({ length }, () => {
    const white = uniform() - 0.5;
    low = 0.99765 * low + 0.099046 * white;
    middle = 0.963 * middle + 0.2965164 * white;
    high = 0.57 * high + 1.0526913 * white;
    return low + middle + high + 0.1848 * white;
  });
}

/** 1/f² above 20 Hz: a leaky sum. */
function brownNoise(length: number, uniform: () => number): Float32Array {
  let sum = 0;
  return Float32Array.from({ length }, () => (sum = 0.997 * sum + uniform() - 0.5));
}
