import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { resample } from '../shared/signal/resample';
import { createUniform } from '../shared/runtime/random';
import { noiseSamples } from '../services/trainer/outliers/noise';

/** A distortion of a sound before it reaches the service. Clips are mono at `sampleRate` Hz. */
export interface Distortion {
  readonly name: string;
  /** @param decode the service's decoder, for the files that an encoder writes */
  readonly apply: (
    clip: Float32Array,
    sampleRate: number,
    decode: (bytes: Uint8Array) => Promise<Float32Array>,
    seed: number,
  ) => Promise<Float32Array> | Float32Array;
}

/** The distortions that a served model is tested with. */
export const distortions: readonly Distortion[] = [
  { name: 'none', apply: (clip) => clip },
  { name: '16 kHz', apply: (clip, rate) => resample(resample(clip, rate, 16_000), 16_000, rate) },
  { name: '8 kHz', apply: (clip, rate) => resample(resample(clip, rate, 8000), 8000, rate) },
  { name: 'MP3 at 64 kbit/s', apply: encoded('clip.mp3', '-b:a', '64k') },
  { name: 'Opus at 24 kbit/s', apply: encoded('clip.opus', '-c:a', 'libopus', '-b:a', '24k') },
  { name: 'gain −30 dB, 16 bits', apply: (clip) => clip.map((value) => rounded(value * 10 ** (-30 / 20))) },
  { name: 'pink noise, 10 dB SNR', apply: (clip, _rate, _decode, seed) => withNoise(clip, 10, seed) },
  { name: 'small room', apply: (clip, rate) => inRoom(clip, rate) },
  { name: 'loudest 2 s', apply: (clip, rate) => loudestPart(clip, 2 * rate) },
  { name: 'anywhere in 10 s', apply: (clip, rate, _decode, seed) => atRandomPosition(clip, 10 * rate, seed) },
];

function rounded(value: number): number {
  return Math.round(value * 32_768) / 32_768;
}

function encoded(fileName: string, ...args: readonly string[]): Distortion['apply'] {
  return async (clip, sampleRate, decode) => {
    const folder = await mkdtemp(join(tmpdir(), 'earshot-distort-'));
    try {
      const [input, output] = [join(folder, 'clip.f32'), join(folder, fileName)];
      await writeFile(input, Buffer.from(clip.buffer, clip.byteOffset, clip.byteLength));
      const format = ['-f', 'f32le', '-ar', String(sampleRate), '-ac', '1'];
      await promisify(execFile)('ffmpeg', [
        '-v',
        'error',
        '-nostdin',
        ...format,
        '-i',
        input,
        ...args,
        output,
      ]);
      return await decode(await readFile(output));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

function power(samples: Float32Array): number {
  return samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
}

/**
 * Adds pink noise at a signal-to-noise ratio in dB, by the mean powers of the whole clip and the noise.
 */
function withNoise(clip: Float32Array, decibels: number, seed: number): Float32Array {
  const noise = noiseSamples('pink', clip.length, createUniform(seed));
  const scale = Math.sqrt(power(clip) / power(noise) / 10 ** (decibels / 10));
  return clip.map((value, i) => value + scale * noise[i]!);
}

const [roomMetres, source, microphone] = [
  [4.1, 3.2, 2.6],
  [1.1, 0.9, 1.2],
  [3.0, 2.1, 1.4],
] as const;
const [reflection, maxOrder, metresPerSecond] = [0.75, 5, 343];

/**
 * Simulates a furnished room by the image-source method (Allen and Berkley 1979): 4.1 × 3.2 × 2.6 m,
 * with source and microphone 2.3 m apart.
 */
function inRoom(clip: Float32Array, sampleRate: number): Float32Array {
  const heard = new Float32Array(clip.length);
  for (const [delaySeconds, gain] of mirrorImages()) {
    const delay = Math.round(delaySeconds * sampleRate);
    for (let i = delay; i < heard.length; i++) heard[i]! += gain * clip[i - delay]!;
  }
  return heard;
}

function mirrorImages(): (readonly [delaySeconds: number, gain: number])[] {
  const images: (readonly [number, number])[] = [];
  const orders = Array.from({ length: 2 * maxOrder + 1 }, (_, index) => index - maxOrder);
  const place = (order: number, axis: 0 | 1 | 2): number =>
    order % 2 === 0 ? order * roomMetres[axis] + source[axis] : (order + 1) * roomMetres[axis] - source[axis];
  for (const x of orders) {
    for (const y of orders) {
      for (const z of orders) {
        const bounces = Math.abs(x) + Math.abs(y) + Math.abs(z);
        if (bounces > maxOrder) continue;
        const distance = Math.hypot(
          place(x, 0) - microphone[0],
          place(y, 1) - microphone[1],
          place(z, 2) - microphone[2],
        );
        images.push([distance / metresPerSecond, reflection ** bounces / distance]);
      }
    }
  }
  return images;
}

function loudestPart(clip: Float32Array, length: number): Float32Array {
  const step = Math.floor(length / 20);
  let [best, bestPower] = [0, -1];
  for (let start = 0; start + length <= clip.length; start += step) {
    const here = power(clip.subarray(start, start + length));
    if (here > bestPower) [best, bestPower] = [start, here];
  }
  return clip.slice(best, best + length);
}

/**
 * Places the clip at a random position of a longer recording with a quiet hiss, 70 dB below full scale.
 */
function atRandomPosition(clip: Float32Array, length: number, seed: number): Float32Array {
  const uniform = createUniform(seed);
  const start = Math.floor(uniform() * (length - clip.length));
  const recording = Float32Array.from({ length }, () => (uniform() - 0.5) * 2 * 10 ** (-70 / 20));
  clip.forEach((value, i) => {
    recording[start + i]! += value;
  });
  return recording;
}
