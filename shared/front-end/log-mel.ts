import { windowSamples, type LogMelFrontEnd } from '../contracts/front-end';
import type { InputComputation } from './input-computation';
import { melFilters, type MelFilter } from './mel-filters';
import { createPowerSpectrum, type PowerSpectrum } from './power-spectrum';

/** Mel power over time: `power[frame · melBins + bin]`, and the level of each frame in dB. */
export interface MelSpectrogram {
  readonly frames: number;
  readonly power: Float32Array;
  readonly levels: Float32Array;
}

/** What depends only on the front end. */
interface Plan {
  readonly filters: readonly MelFilter[];
  readonly hann: Float64Array;
  readonly spectrumOf: PowerSpectrum;
  readonly frame: Float64Array;
  readonly spectrum: Float64Array;
}

const plans = new WeakMap<LogMelFrontEnd, Plan>();

/** Lower limit, so that the logarithm is finite. */
const powerFloor = 1e-10;

function planOf(frontEnd: LogMelFrontEnd): Plan {
  const known = plans.get(frontEnd);
  if (known !== undefined) return known;
  const size = frontEnd.fftSamples;
  const filters = melFilters(frontEnd);
  const bins = Math.max(...filters.map(({ first, weights }) => first + weights.length));
  const plan = {
    filters,
    hann: Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size)),
    spectrumOf: createPowerSpectrum(size),
    frame: new Float64Array(size),
    spectrum: new Float64Array(bins),
  };
  plans.set(frontEnd, plan);
  return plan;
}

/**
 * Computes the mel spectrogram of a window that is cut to the front end's length. Frame t is centred on
 * sample t · hop, with silence before the first sample and after the last.
 */
export function melSpectrogram(window: Float32Array, frontEnd: LogMelFrontEnd): MelSpectrogram {
  const { filters, hann, spectrumOf, frame, spectrum } = planOf(frontEnd);
  const { fftSamples, hopSamples, melBins } = frontEnd;
  const heard = window.subarray(0, windowSamples(frontEnd));
  const frames = 1 + Math.floor(heard.length / hopSamples);
  const power = new Float32Array(frames * melBins);
  const levels = new Float32Array(frames);
  for (let t = 0; t < frames; t++) {
    const start = t * hopSamples - fftSamples / 2;
    const [first, last] = [Math.max(0, -start), Math.min(fftSamples, heard.length - start)];
    frame.fill(0);
    for (let i = first; i < last; i++) frame[i] = hann[i]! * heard[start + i]!;
    spectrumOf(frame, spectrum);
    let total = 0;
    for (let mel = 0; mel < melBins; mel++) {
      const { first: bin, weights } = filters[mel]!;
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i]! * spectrum[bin + i]!;
      power[t * melBins + mel] = sum;
      total += sum;
    }
    levels[t] = 10 * Math.log10(total + powerFloor);
  }
  return { frames, power, levels };
}

/**
 * Computes the window's crops as inputs of the network, [cropFrames × melBins] each. They are evenly
 * spaced; each is normalised by its own level and given in dB below its loudest cell. Silent crops are
 * left out.
 */
export function logMelCrops(window: Float32Array, frontEnd: LogMelFrontEnd): Float32Array[] {
  const { crops, silenceDecibels } = frontEnd;
  const spectrogram = melSpectrogram(window, frontEnd);
  const starts = Array.from({ length: crops }, (_, crop) => Math.floor((spectrogram.frames * crop) / crops));
  const levels = starts.map((start) => cropLevel(spectrogram, start, frontEnd.cropFrames));
  const audibleDecibels = Math.max(...levels) - silenceDecibels;
  return starts.flatMap((start, index) => {
    if (levels[index]! < audibleDecibels) return [];
    const crop = new Float32Array(frontEnd.cropFrames * frontEnd.melBins);
    copyCrop(spectrogram, start, crop);
    toUnitLevel(crop, levels[index]!);
    toDecibels(crop, frontEnd.rangeDecibels);
    return [crop];
  });
}

/** An input per audible crop. */
export const logMelInputs: InputComputation<LogMelFrontEnd> = {
  inputLength: ({ cropFrames, melBins }) => cropFrames * melBins,
  inputsPerWindow: ({ crops }) => crops,
  write(window, frontEnd, out, offset) {
    const crops = logMelCrops(window, frontEnd);
    crops.forEach((crop, index) => {
      out.set(crop, offset + index * crop.length);
    });
    return crops.length;
  },
};

/** Returns the level of the loudest frame of a crop, in dB. */
export function cropLevel({ frames, levels }: MelSpectrogram, start: number, cropFrames: number): number {
  let loudest = -Infinity;
  for (let t = 0; t < Math.min(cropFrames, frames); t++) {
    loudest = Math.max(loudest, levels[(start + t) % frames]!);
  }
  return loudest;
}

/** Fills `out` with frames from `start` on; after the last frame it continues with the first. */
export function copyCrop({ frames, power }: MelSpectrogram, start: number, out: Float32Array): void {
  for (let at = 0, from = (start * power.length) / frames; at < out.length; from = 0) {
    const part = power.subarray(from, from + out.length - at);
    out.set(part, at);
    at += part.length;
  }
}

/** Divides a crop's power by that of its loudest frame. */
export function toUnitLevel(crop: Float32Array, levelDecibels: number): void {
  const scale = 1 / (10 ** (levelDecibels / 10) + 1e-12);
  for (let i = 0; i < crop.length; i++) crop[i]! *= scale;
}

/** Converts power to dB below the loudest cell, at least −`rangeDecibels`. */
export function toDecibels(crop: Float32Array, rangeDecibels: number): void {
  let loudest = 0;
  for (let i = 0; i < crop.length; i++) if (crop[i]! > loudest) loudest = crop[i]!;
  const top = 10 * Math.log10(loudest + powerFloor);
  for (let i = 0; i < crop.length; i++) {
    crop[i] = Math.max(10 * Math.log10(crop[i]! + powerFloor) - top, -rangeDecibels);
  }
}
