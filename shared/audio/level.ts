/** What digital silence counts as, dBFS: below the noise of 16 bits. */
export const floorDbfs = -120;

const { log10, max } = Math;

function decibels(meanSquare: number): number {
  return max(floorDbfs, 10 * log10(meanSquare));
}

function meanSquare(samples: Float32Array, from: number, to: number): number {
  let sum = 0;
  for (let index = from; index < to; index += 1) sum += samples[index]! * samples[index]!;
  return sum / (to - from);
}

/** Level of `samples` in dBFS: root mean square, where a square wave of full scale is 0. At least −120; so is that of no samples. */
export function levelDbfs(samples: Float32Array): number {
  return samples.length === 0 ? floorDbfs : decibels(meanSquare(samples, 0, samples.length));
}

/** `levelDbfs` of what comes before the zeros at the end: a recording that was filled up is no quieter for it. */
export function soundLevelDbfs(samples: Float32Array): number {
  let end = samples.length;
  while (end > 0 && samples[end - 1] === 0) end -= 1;
  return levelDbfs(samples.subarray(0, end));
}

/** Level of the loudest block of `blockSamples` one after another: a short click in a long silence is not averaged away. */
export function loudestBlockDbfs(samples: Float32Array, blockSamples: number): number {
  let loudest = 0;
  for (let from = 0; from < samples.length; from += blockSamples) {
    const to = Math.min(samples.length, from + blockSamples);
    loudest = max(loudest, meanSquare(samples, from, to));
  }
  return decibels(loudest);
}

/** How loud a window is. */
export interface Level {
  /** Mean square of its samples. */
  readonly power: number;
  /** Of its loudest stretch of 23 ms at 44.1 kHz, dBFS. */
  readonly loudestDecibels: number;
}

/** 23 ms at 44.1 kHz. */
const stretchSamples = 1024;

export function levelOf(samples: Float32Array): Level {
  return {
    power: samples.length === 0 ? 0 : meanSquare(samples, 0, samples.length),
    loudestDecibels: loudestBlockDbfs(samples, stretchSamples),
  };
}

/** Share of samples at full scale or beyond. */
export function clippedShare(samples: Float32Array): number {
  let clipped = 0;
  // 16-bit full scale is 32767/32768 upwards.
  for (let index = 0; index < samples.length; index += 1) if (Math.abs(samples[index]!) >= 0.9999) clipped++;
  return samples.length === 0 ? 0 : clipped / samples.length;
}
