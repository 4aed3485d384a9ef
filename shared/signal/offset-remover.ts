import type { SignalStage } from './full-scale-guard';

const blockSeconds = 0.1;
/** Of the first block, whose parts must agree on an offset. */
const partsOfBlock = 10;
/** An offset smaller than this (−66 dBFS) does no harm. */
const leastOffset = 5e-4;
/** How far a mean must stand out: of the spread of the parts of the first block, of its own uncertainty from then on. */
const deviations = 3;
/** The running mean is of the last blocks, about so many. */
const blocksOfMean = 20;
/** The high-pass that takes an offset away: what is heard begins at 40 Hz, where it changes 0.07 dB. */
const cutoffHz = 5;
/** An offset that shows up later is taken away little by little. */
const fadeSeconds = 0.5;

const { abs, max, PI, round, sqrt } = Math;

/**
 * Takes away the constant that a microphone adds (usual with I2S and PDM microphones, 1 to 20 % of full scale): without that a
 * quiet room is loud, and a recording begins with a step. Where there is none the signal passes unchanged, to the bit. An offset is
 * looked for in the first 0.1 s of sound, which is held back so long, and from then on in the mean of the last seconds; once it was
 * found, a first-order high-pass that begins at it follows it. Runs of zeros stay zeros: no sound is no offset either.
 */
export function createOffsetRemover(sampleRate: number): SignalStage {
  const blockSamples = max(1, round(blockSeconds * sampleRate));
  const follow = (2 * PI * cutoffHz) / sampleRate;
  /** The first block, until it is complete; undefined from then on. */
  let first: Float32Array | undefined = new Float32Array(0);
  let isFound = false;
  let offset = 0;
  let fade = 0;
  let previous = 1;
  // Of the present block.
  let sum = 0;
  let count = 0;
  /** Of the blocks' means: their running mean, and the mean square of what they differ from it. */
  let blocks = 0;
  let mean = 0;
  let spread = 0;

  function begin(block: Float32Array): void {
    const partSamples = max(1, Math.floor(block.length / partsOfBlock));
    const parts = Array.from({ length: Math.floor(block.length / partSamples) }, (_, part) =>
      meanOf(block.subarray(part * partSamples, (part + 1) * partSamples)),
    );
    mean = meanOf(block);
    const square = meanOf(parts.map((part) => (part - mean) ** 2));
    blocks = 1;
    spread = square / parts.length;
    isFound = abs(mean) > leastOffset && abs(mean) > deviations * sqrt(square);
    offset = mean;
    fade = isFound ? 1 : 0;
  }

  /** A block is over. @returns whether an offset was found */
  function endBlock(): boolean {
    const difference = sum / blockSamples - mean;
    blocks = Math.min(blocksOfMean, blocks + 1);
    mean += difference / blocks;
    spread += (difference ** 2 - spread) / blocks;
    sum = 0;
    count = 0;
    isFound = abs(mean) > leastOffset && abs(mean) > deviations * sqrt(spread / blocks);
    offset = mean;
    return isFound;
  }

  /** Until an offset is found; what is given out is unchanged. @returns samples that were looked at */
  function watch(samples: Float32Array): number {
    for (let from = 0; from < samples.length;) {
      const to = Math.min(samples.length, from + blockSamples - count);
      // In order, from the block's first sample on: the sum does not depend on how the signal is cut.
      let total = sum;
      for (let index = from; index < to; index += 1) total += samples[index]!;
      sum = total;
      count += to - from;
      from = to;
      if (count === blockSamples && endBlock()) return from;
    }
    return samples.length;
  }

  function remove(samples: Float32Array): Float32Array {
    const out = new Float32Array(samples.length);
    const fadeStep = 1 / (fadeSeconds * sampleRate);
    // In variables of their own: V8 makes an object of each value that a closure's variable is given.
    let [before, share, constant] = [previous, fade, offset];
    for (let index = 0; index < samples.length; index += 1) {
      const sample = samples[index]!;
      const isSilence = sample === 0 && before === 0;
      before = sample;
      if (isSilence) continue;
      out[index] = sample - share * constant;
      constant += follow * (sample - constant);
      if (share < 1) share = Math.min(1, share + fadeStep);
    }
    [previous, fade, offset] = [before, share, constant];
    return out;
  }

  function run(samples: Float32Array): Float32Array {
    if (isFound) return remove(samples);
    const watched = watch(samples);
    if (watched === samples.length) return samples;
    return concatenated(samples.subarray(0, watched), remove(samples.subarray(watched)));
  }

  return {
    push(samples) {
      if (first === undefined) return run(samples);
      // Zeros in front of the sound are no part of it.
      const lead = first.length === 0 ? leadingZeros(samples) : 0;
      // The caller may reuse the memory.
      first = concatenated(first, samples.slice(lead));
      if (first.length < blockSamples) return samples.subarray(0, lead);
      const all = first;
      first = undefined;
      begin(all.subarray(0, blockSamples));
      return concatenated(samples.subarray(0, lead), run(all));
    },
    finish() {
      const all = first;
      first = undefined;
      if (all === undefined || all.length === 0) return new Float32Array(0);
      begin(all);
      return run(all);
    },
  };
}

function leadingZeros(samples: Float32Array): number {
  const sound = samples.findIndex((sample) => sample !== 0);
  return sound < 0 ? samples.length : sound;
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += values[index]!;
  return values.length === 0 ? 0 : sum / values.length;
}

function concatenated(first: Float32Array, second: Float32Array): Float32Array {
  if (first.length === 0) return second;
  const out = new Float32Array(first.length + second.length);
  out.set(first);
  out.set(second, first.length);
  return out;
}
