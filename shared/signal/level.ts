/** What digital silence counts as, dBFS: below the noise of 16 bits. */
export const floorDbfs = -120;

const { log10, max } = Math;

function decibels(meanSquare: number): number {
  return max(floorDbfs, 10 * log10(meanSquare));
}

/**
 * Four sums side by side, so that no addition waits for the one before. Each declared for itself: taken out of an array, V8 keeps
 * them as objects, a new one for each addition.
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

/** Level of `samples` in dBFS: root mean square, where a square wave of full scale is 0. At least −120; so is that of no samples. */
export function levelDbfs(samples: Float32Array): number {
  return samples.length === 0
    ? floorDbfs
    : decibels(sumOfSquares(samples, 0, samples.length) / samples.length);
}

/** Level of the loudest block of `blockSamples` one after another: a short click in a long silence is not averaged away. */
export function loudestBlockDbfs(samples: Float32Array, blockSamples: number): number {
  let loudest = 0;
  for (let from = 0; from < samples.length; from += blockSamples) {
    const to = Math.min(samples.length, from + blockSamples);
    loudest = max(loudest, sumOfSquares(samples, from, to) / (to - from));
  }
  return decibels(loudest);
}

/** How loud a window is. */
export interface Level {
  /** Mean square of its samples. */
  readonly power: number;
  /** Of its loudest stretch of 23 ms at 44.1 kHz, dBFS. */
  readonly loudestDecibels: number;
  /** Of what comes before the zeros at its end, dBFS: a recording that was filled up is no quieter for it. */
  readonly soundDecibels: number;
}

/** 23 ms at 44.1 kHz. */
const stretchSamples = 1024;

export function levelOf(samples: Float32Array): Level {
  let end = samples.length;
  while (end > 0 && samples[end - 1] === 0) end -= 1;
  let sum = 0;
  let loudest = 0;
  for (let from = 0; from < end; from += stretchSamples) {
    const to = Math.min(samples.length, from + stretchSamples);
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

/** Share of samples at full scale or beyond. */
export function clippedShare(samples: Float32Array): number {
  let clipped = 0;
  // 16-bit full scale is 32767/32768 upwards.
  for (let index = 0; index < samples.length; index += 1) if (Math.abs(samples[index]!) >= 0.9999) clipped++;
  return samples.length === 0 ? 0 : clipped / samples.length;
}
