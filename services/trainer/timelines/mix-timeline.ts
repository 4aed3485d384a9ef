import { AppError } from '../../../shared/errors/app-error';
import { createUniform, deriveSeed, permutation } from '../../../shared/runtime/random';
import { recordingOf } from '../evaluate/served-figures';
import type { LabelledClip } from '../data/dataset';
import type { BackgroundSpan, LabelledEvent, Timeline } from './timeline';

/** A recording without any of the sounds that are to be found. */
export interface BackgroundRecording {
  readonly name: string;
  /** Mono at the model's rate. */
  readonly samples: Float32Array;
}

export interface MixOptions {
  readonly name: string;
  readonly sampleRate: number;
  readonly seconds: number;
  readonly events: number;
  /** Level of every sound over that of the background, in dB: drawn uniformly between the two. */
  readonly signalToBackground: readonly [lowest: number, highest: number];
  readonly seed: number;
}

/** Root mean square of every background recording, dBFS. */
const backgroundDbfs = -50;
/** Sounds are at least so far apart, and from both ends. */
const marginSeconds = 2;
/** What is this far below a clip's loudest 20 ms at its ends is not part of its sound. */
const quietDecibels = 30;
const blockSeconds = 0.02;
/** At both ends of a sound, so that its cut does not click. */
const fadeSeconds = 0.01;

const { log, max, min, round, sqrt } = Math;

/**
 * Mixes a timeline from clips and background recordings. The recordings follow each other without a
 * pause, in random order, each once before any comes again, at one level. The clips' classes come
 * equally often, in random order, after pauses of random length.
 * @param clips of every class at least one
 * @throws AppError invalid-configuration where the sounds do not fit into the time
 */
export function mixTimeline(
  clips: readonly LabelledClip[],
  background: readonly BackgroundRecording[],
  options: MixOptions,
): Timeline {
  const { name, sampleRate, seconds, seed } = options;
  const samples = new Float32Array(round(seconds * sampleRate));
  const spans = layBackground(samples, background, sampleRate, deriveSeed(seed, 'background'));
  const uniform = createUniform(deriveSeed(seed, 'events'));
  const sounds = drawClips(clips, options.events, uniform, seed).map((clip) => ({
    clip,
    sound: soundOf(clip.samples, sampleRate),
  }));
  const starts = placesOf(
    sounds.map(({ sound }) => sound.length / sampleRate),
    seconds,
    uniform,
  );
  const [lowest, highest] = options.signalToBackground;
  const events = sounds.map(({ clip, sound }, index): LabelledEvent => {
    const at = round(starts[index]! * sampleRate);
    const decibels = backgroundDbfs + lowest + (highest - lowest) * uniform();
    addSound(samples, sound, { at, decibels, fade: round(fadeSeconds * sampleRate) });
    return {
      label: clip.label,
      onsetSeconds: at / sampleRate,
      offsetSeconds: (at + sound.length) / sampleRate,
      recording: recordingOf(clip.filename),
    };
  });
  return { name, samples, seconds, events, background: spans };
}

function layBackground(
  samples: Float32Array,
  recordings: readonly BackgroundRecording[],
  sampleRate: number,
  seed: number,
): BackgroundSpan[] {
  const spans: BackgroundSpan[] = [];
  let order: number[] = [];
  for (let at = 0, round = 0; at < samples.length;) {
    if (order.length === 0) order = [...permutation(recordings.length, deriveSeed(seed, round++))];
    const { name, samples: own } = recordings[order.pop()!]!;
    const length = min(own.length, samples.length - at);
    const gain = amplitude(backgroundDbfs) / max(rootMeanSquare(own), 1e-9);
    for (let i = 0; i < length; i++) samples[at + i] = gain * own[i]!;
    spans.push({ recording: name, startSeconds: at / sampleRate, endSeconds: (at + length) / sampleRate });
    at += length;
  }
  return spans;
}

/** Clips whose classes come equally often, in random order. */
function drawClips(
  clips: readonly LabelledClip[],
  count: number,
  uniform: () => number,
  seed: number,
): LabelledClip[] {
  const labels = [...new Set(clips.map(({ label }) => label))].sort((a, b) => a - b);
  return Array.from(permutation(count, deriveSeed(seed, 'order')), (number) => {
    const own = clips.filter(({ label }) => label === labels[number % labels.length]);
    return own[Math.floor(uniform() * own.length)]!;
  });
}

/** The part of a clip between the quiet at its ends. */
function soundOf(samples: Float32Array, sampleRate: number): Float32Array {
  const block = round(blockSeconds * sampleRate);
  const levels = Array.from({ length: Math.ceil(samples.length / block) }, (_, index) =>
    rootMeanSquare(samples.subarray(index * block, (index + 1) * block)),
  );
  const audible = max(...levels) * amplitude(-quietDecibels);
  const isAudible = (level: number): boolean => level >= audible;
  const [first, last] = [levels.findIndex(isAudible), levels.findLastIndex(isAudible)];
  return samples.subarray(first * block, (last + 1) * block);
}

/** Where sounds of these lengths start, with pauses of random (exponentially distributed) length. */
function placesOf(lengths: readonly number[], seconds: number, uniform: () => number): number[] {
  const taken = lengths.reduce((sum, length) => sum + length + marginSeconds, marginSeconds);
  if (taken > seconds) {
    const detail = `${lengths.length} sounds take ${taken.toFixed(0)} s with their pauses, more than ${seconds} s: let there be fewer, or more hours.`;
    throw new AppError('invalid-configuration', detail);
  }
  const pauses = [...lengths, 0].map(() => -log(1 - uniform()));
  const all = pauses.reduce((sum, pause) => sum + pause, 0);
  let at = 0;
  return lengths.map((length, index) => {
    const start = at + marginSeconds + (pauses[index]! / all) * (seconds - taken);
    at = start + length;
    return start;
  });
}

interface Placement {
  readonly at: number;
  /** Root mean square of the sound, dBFS; less where its peak would exceed full scale. */
  readonly decibels: number;
  /** Samples. */
  readonly fade: number;
}

function addSound(samples: Float32Array, sound: Float32Array, { at, decibels, fade }: Placement): void {
  const peak = sound.reduce((highest, value) => max(highest, Math.abs(value)), 0);
  const gain = min(amplitude(decibels) / max(rootMeanSquare(sound), 1e-9), 0.95 / max(peak, 1e-9));
  for (let i = 0; i < sound.length; i++) {
    samples[at + i]! += gain * min(1, i / fade, (sound.length - 1 - i) / fade) * sound[i]!;
  }
}

function amplitude(decibels: number): number {
  return 10 ** (decibels / 20);
}

function rootMeanSquare(samples: Float32Array): number {
  let sum = 0;
  for (const value of samples) sum += value * value;
  return samples.length === 0 ? 0 : sqrt(sum / samples.length);
}
