/** The level of digital silence, dBFS; below the noise of 16 bits. */
export const floorDbfs = -120;

const { log10, max } = Math;

function decibels(meanSquare: number): number {
  return max(floorDbfs, 10 * log10(meanSquare));
}

/**
 * Uses four sums, so that no addition waits for the previous one. They are separate variables because V8
 * would allocate an object per addition for array elements.
 */
function sumOfSquares(samples: Float32Array, from: number, to: number): number {
  let first = 0;
  let second = 0;
  let third = 0;
  let fourth = 0;
  let index = from;
  for (; index + 3 < to; index += 4) {
    first += samples[index]! * samples[index]!;
    second += samples[index + 1]! * samples[index + 1]!;
    third += samples[index + 2]! * samples[index + 2]!;
    fourth += samples[index + 3]! * samples[index + 3]!;
  }
  for (; index < to; index += 1) first += samples[index]! * samples[index]!;
  return first + second + third + fourth;
}

/**
 * Returns the RMS level of `samples` in dBFS, where a full-scale square wave has 0. At least −120, also
 * for no samples.
 */
export function levelDbfs(samples: Float32Array): number {
  return samples.length === 0
    ? floorDbfs
    : decibels(sumOfSquares(samples, 0, samples.length) / samples.length);
}

/**
 * Returns the level of the loudest block of `blockSamples` samples in dBFS, so that a short click in
 * silence is not averaged away.
 */
export function loudestBlockDbfs(samples: Float32Array, blockSamples: number): number {
  let loudest = 0;
  for (let from = 0; from < samples.length; from += blockSamples) {
    const to = Math.min(samples.length, from + blockSamples);
    loudest = max(loudest, sumOfSquares(samples, from, to) / (to - from));
  }
  return decibels(loudest);
}

/** Silence is decided by the level of the loudest block of this length. */
const silenceBlockSeconds = 0.1;

/** Tells whether the loudest 0.1 s of a window, as gateSignal returns it, is below `silenceDbfs`. */
export function isSilent(samples: Float32Array, sampleRate: number, silenceDbfs: number): boolean {
  const blockSamples = max(1, Math.round(silenceBlockSeconds * sampleRate));
  return loudestBlockDbfs(samples, blockSamples) < silenceDbfs;
}

/** The loudness of a window. */
export interface Level {
  /** Mean square of the samples. */
  readonly power: number;
  /** Level of its loudest block of 1,024 samples (23 ms at 44.1 kHz), dBFS. */
  readonly loudestDecibels: number;
  /** Level of the window without the zeros at its end, dBFS, so that zero padding does not reduce it. */
  readonly soundDecibels: number;
}

/** 23 ms at 44.1 kHz. */
const blockSamples = 1024;

export function levelOf(samples: Float32Array): Level {
  let end = samples.length;
  while (end > 0 && samples[end - 1] === 0) end -= 1;
  let sum = 0;
  let loudest = 0;
  for (let from = 0; from < end; from += blockSamples) {
    const to = Math.min(samples.length, from + blockSamples);
    const squares = sumOfSquares(samples, from, to);
    sum += squares;
    loudest = max(loudest, squares / (to - from));
  }
  return {
    power: sum / max(1, samples.length),
    loudestDecibels: decibels(loudest),
    soundDecibels: decibels(sum / max(1, end)),
  };
}

/** Returns the share of samples at or above full scale, from 0 to 1. */
export function clippedShare(samples: Float32Array): number {
  let clipped = 0;
  // Full scale of 16 bits is 32767/32768.
  for (let index = 0; index < samples.length; index += 1) if (Math.abs(samples[index]!) >= 0.9999) clipped++;
  return samples.length === 0 ? 0 : clipped / samples.length;
}
