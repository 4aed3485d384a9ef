import { amplitude, between, type Uniform } from '../outliers/taught/synthesis';

/** Where the sounds of mixes are drawn from. */
export interface SoundSources {
  /** The clips of the data set; there may be none. */
  readonly labelled: readonly Float32Array[];
  /** All others, at least one. */
  readonly others: readonly Float32Array[];
  /** How often a sound is of the data set, where there are any. */
  readonly labelledShare: number;
}

/** How often two sounds are heard together, and how far the second may be below the first, in dB. */
const pairShare = 0.4;
const secondBelowDb = 15;
/** How often a sound is played at another speed: up to a quarter faster or slower. */
const speedShare = 0.3;
const speedRange = 1.25;
/** How often only a burst of a sound is heard, from 0.1 to 1 s; the logarithm of its length is uniform. */
const burstShare = 0.2;
const burstSeconds = { least: 0.1, decades: 1 };
/** The peak of a mix, dBFS. */
const peakDb = { low: -30, high: 0 };
/** How often there is white noise, and its level, dBFS. */
const noiseShare = 0.4;
const noiseDb = { low: -85, high: -45 };

/**
 * A mix of one sound or two, placed anywhere in silence, with noise or without: what an encoder is to
 * hear as another one does. It is a function of the random numbers.
 * @param samples its length
 * @param sampleRate Hz of the sounds
 */
export function mixSounds(
  sources: SoundSources,
  samples: number,
  sampleRate: number,
  uniform: Uniform,
): Float32Array {
  const mix = new Float32Array(samples);
  const sounds = uniform() < pairShare ? 2 : 1;
  for (let index = 0; index < sounds; index++) {
    const sound = partOf(pick(sources, uniform), samples, sampleRate, uniform);
    const gain = index === 0 ? 1 : amplitude(-secondBelowDb * uniform());
    const start = Math.floor(uniform() * (samples - sound.length + 1));
    add(mix, sound, gain / peakOf(sound), start);
  }
  const gain = amplitude(between(uniform, peakDb.low, peakDb.high)) / peakOf(mix);
  for (let i = 0; i < samples; i++) mix[i]! *= gain;
  if (uniform() < noiseShare) addNoise(mix, amplitude(between(uniform, noiseDb.low, noiseDb.high)), uniform);
  return mix;
}

function pick({ labelled, others, labelledShare }: SoundSources, uniform: Uniform): Float32Array {
  const from = labelled.length > 0 && uniform() < labelledShare ? labelled : others;
  return from[Math.floor(uniform() * from.length)]!;
}

/** A sound at its own speed or another: a burst of it, or as much as `most` samples hold. */
function partOf(sound: Float32Array, most: number, sampleRate: number, uniform: Uniform): Float32Array {
  const speed = uniform() < speedShare ? speedRange ** (2 * uniform() - 1) : 1;
  const played = Math.max(1, Math.floor((sound.length - 1) / speed));
  const isBurst = uniform() < burstShare;
  const burst = isBurst ? burstSeconds.least * 10 ** (burstSeconds.decades * uniform()) * sampleRate : played;
  const length = Math.min(played, most, Math.ceil(burst));
  const start = Math.floor(uniform() * (played - length + 1));
  if (speed === 1) return sound.subarray(start, start + length);
  const part = new Float32Array(length);
  const { floor } = Math;
  for (let i = 0; i < length; i++) {
    const position = (start + i) * speed;
    const before = floor(position);
    part[i] = sound[before]! + (sound[before + 1]! - sound[before]!) * (position - before);
  }
  return part;
}

function peakOf(samples: Float32Array): number {
  let peak = 1e-9;
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i]!;
    if (value > peak) peak = value;
    else if (-value > peak) peak = -value;
  }
  return peak;
}

function add(mix: Float32Array, sound: Float32Array, gain: number, start: number): void {
  for (let i = 0; i < sound.length; i++) mix[start + i]! += gain * sound[i]!;
}

/** White noise of this root mean square, from a generator that is fast rather than good. */
function addNoise(mix: Float32Array, rms: number, uniform: Uniform): void {
  const { imul } = Math;
  const scale = (rms * Math.sqrt(12)) / 2 ** 32;
  let state = Math.floor(uniform() * 2 ** 32) | 0;
  for (let i = 0; i < mix.length; i++) {
    state = (imul(state, 1_664_525) + 1_013_904_223) | 0;
    mix[i]! += scale * state;
  }
}
