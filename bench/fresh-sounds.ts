import { readAloud } from '../services/trainer/outliers/speech';
import { createUniform, deriveSeed } from '../shared/runtime/random';
import { wavFile } from '../test/support/wav-file';

/** A recording of a sound that is no class. */
export interface FreshSound {
  readonly kind: string;
  readonly wav: Buffer;
}

const sampleRate = 44_100;
const length = 5 * sampleRate;
const recordingsPerKind = 12;

type Uniform = () => number;
type Make = (uniform: Uniform) => Float32Array;

const { sin, exp, log, PI } = Math;
const between = (uniform: Uniform, low: number, high: number): number => low + (high - low) * uniform();
const logarithmic = (uniform: Uniform, low: number, high: number): number => low * (high / low) ** uniform();

/**
 * Adds up notes that begin one after another; a note's tone is a function of the seconds since its
 * start.
 */
function notes(
  uniform: Uniform,
  seconds: readonly [number, number],
  note: () => (at: number) => number,
): Float32Array {
  const sound = new Float32Array(length);
  for (let start = 0; start < length; start += Math.round(between(uniform, ...seconds) * sampleRate)) {
    const tone = note();
    for (let i = start; i < length; i++) sound[i]! += tone((i - start) / sampleRate);
  }
  return sound;
}

/** 1/f^slope noise above 20 Hz: white noise through a fractional integrator (Kasdin 1995). */
function slopedNoise(uniform: Uniform, slope: number): Float32Array {
  const response = new Float64Array(2048);
  response[0] = 1;
  for (let k = 1; k < response.length; k++) response[k] = (response[k - 1]! * (k - 1 + slope / 2)) / k;
  const white = Float64Array.from({ length: length + response.length }, () => uniform() - 0.5);
  return Float32Array.from({ length }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < response.length; k++) sum += response[k]! * white[i + response.length - k]!;
    return sum;
  });
}

/**
 * Synthetic sounds that differ from the outlier sounds with which versions are trained and validated.
 * Hum and swelling bands resemble some of these.
 */
const makers: Readonly<Record<string, Make>> = {
  'frequency-modulated notes': (uniform) =>
    notes(uniform, [0.2, 0.7], () => {
      const [hertz, ratio] = [logarithmic(uniform, 120, 1500), between(uniform, 0.5, 3.5)];
      const [index, decay] = [between(uniform, 1, 6), between(uniform, 2, 8)];
      return (at) =>
        exp(-decay * at) *
        sin(2 * PI * hertz * at + index * exp(-decay * at) * sin(2 * PI * hertz * ratio * at));
    }),
  'struck metal': (uniform) =>
    notes(uniform, [0.5, 2], () => {
      const partials = Array.from({ length: 9 }, () => ({
        hertz: logarithmic(uniform, 300, 9000),
        decay: between(uniform, 1, 12),
      }));
      return (at) =>
        partials.reduce((sum, { hertz, decay }) => sum + exp(-decay * at) * sin(2 * PI * hertz * at), 0);
    }),
  organ: (uniform) =>
    notes(uniform, [0.8, 1.6], () => {
      const root = logarithmic(uniform, 80, 300);
      const pipes = [1, 1.26, 1.5].flatMap((step) => [1, 2, 3, 4, 6].map((pipe) => root * step * pipe));
      return (at) =>
        Math.min(1, 20 * at) *
        Math.max(0, 1 - at) *
        pipes.reduce((sum, hertz) => sum + sin(2 * PI * hertz * at), 0);
    }),
  'noise of other slopes': (uniform) => slopedNoise(uniform, between(uniform, 0, 2)),
  'swelling bands of noise': (uniform) => {
    const [hertz, rate] = [logarithmic(uniform, 200, 6000), between(uniform, 0.2, 2)];
    const turn = 2 * PI * (hertz / sampleRate);
    const radius = exp((-PI * hertz * between(uniform, 0.1, 0.6)) / sampleRate);
    let [last, lastButOne] = [0, 0];
    return Float32Array.from({ length }, (_, i) => {
      const next = uniform() - 0.5 + 2 * radius * Math.cos(turn) * last - radius ** 2 * lastButOne;
      [last, lastButOne] = [next, last];
      return next * (0.55 + 0.45 * sin((2 * PI * rate * i) / sampleRate));
    });
  },
  'mains hum': (uniform) => {
    const hertz = uniform() < 0.5 ? 50 : 60;
    const gains = Array.from({ length: 20 }, (_, k) => uniform() / (k + 1));
    return Float32Array.from({ length }, (_, i) =>
      gains.reduce(
        (sum, gain, k) => sum + gain * sin((2 * PI * hertz * (k + 1) * i) / sampleRate),
        0.02 * (uniform() - 0.5),
      ),
    );
  },
  'Geiger counter': (uniform) => {
    const rate = logarithmic(uniform, 3, 60);
    let next = 0;
    let level = 0;
    return Float32Array.from({ length }, (_, i) => {
      if (i >= next) {
        level = 1;
        next = i - (log(1 - uniform()) / rate) * sampleRate;
      }
      level *= 0.96;
      return level * (i % 8 < 4 ? 1 : -1);
    });
  },
  modem: (uniform) => {
    const [low, high, symbol] = [
      between(uniform, 900, 1300),
      between(uniform, 1700, 2400),
      between(uniform, 60, 300),
    ];
    let phase = 0;
    let hertz = low;
    return Float32Array.from({ length }, (_, i) => {
      if (i % Math.round(sampleRate / symbol) === 0) hertz = uniform() < 0.5 ? low : high;
      phase += (2 * PI * hertz) / sampleRate;
      return sin(phase);
    });
  },
};

const speakers = ['es', 'it', 'pl+f2', 'en-us+whisper', 'nl+m5', 'pt+croak'];
const sentences = [
  'Uno dos tres cuatro cinco, probando.',
  'Please hold the line, your call is important to us.',
];

/**
 * Makes twelve recordings of each kind, the same at each call; and speech where espeak-ng is installed.
 */
export async function freshSounds(): Promise<FreshSound[]> {
  const made = Object.entries(makers).flatMap(([kind, make]) =>
    Array.from({ length: recordingsPerKind }, (_, index) => {
      const uniform = createUniform(deriveSeed(20_261_125, 'fresh', kind, index));
      const sound = make(uniform);
      const highest = sound.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const peak = between(uniform, 0.05, 0.8);
      const samples = sound.map((value) => (value * peak) / highest);
      return { kind, wav: wavFile([samples], { sampleRate, type: 's16' }) };
    }),
  );
  return [...made, ...(await speech())];
}

async function speech(): Promise<FreshSound[]> {
  const readings = speakers.flatMap((voice) =>
    sentences.map((text, index) => ({ voice, text, wordsPerMinute: 120 + 60 * index })),
  );
  return (await readAloud(readings)).map((wav) => ({ kind: 'speech in other voices', wav }));
}
