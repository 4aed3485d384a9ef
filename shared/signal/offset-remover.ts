import type { SignalStage } from './full-scale-guard';

const blockSeconds = 0.1;
/** Parts of the first block, which must agree on an offset. */
const partsOfBlock = 10;
/** A smaller offset (−66 dBFS) is ignored. */
const minOffset = 5e-4;
/**
 * An offset must exceed this many standard deviations: of the parts of the first block, and later of the
 * running mean.
 */
const deviations = 3;
/** Number of blocks that the running mean covers. */
const blocksOfMean = 20;
/**
 * Cut-off of the high-pass that follows the offset. At 40 Hz, the lowest audible frequency here, it
 * changes 0.07 dB.
 */
const cutoffHz = 5;
/** An offset that appears later is removed with a fade of this length. */
const fadeSeconds = 0.5;

const { abs, max, PI, round, sqrt } = Math;

/**
 * Removes the constant offset that a microphone adds, usual with I2S and PDM microphones (1 to 20 % of
 * full scale). With it, a quiet room has a high level and a recording begins with a step. A signal
 * without offset passes unchanged. The offset is searched in the first 0.1 s, which is held back, and
 * later in the mean of the last seconds. Once found, a first-order high-pass that starts at its value
 * follows it. Runs of zeros stay zeros.
 */
export function createOffsetRemover(sampleRate: number): SignalStage {
  const blockSamples = max(1, round(blockSeconds * sampleRate));
  const follow = (2 * PI * cutoffHz) / sampleRate;
  /** The first block until it is complete; undefined afterwards. */
  let first: Float32Array | undefined = new Float32Array(0);
  let isFound = false;
  let offset = 0;
  let fade = 0;
  let previous = 1;
  // Sums of the present block.
  let sum = 0;
  let count = 0;
  /** // Number, running mean and variance of the means of the blocks. */
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
    isFound = abs(mean) > minOffset && abs(mean) > deviations * sqrt(square);
    offset = mean;
    fade = isFound ? 1 : 0;
  }

  /**
   * Ends a block.
   * @returns whether an offset was found
   */
  function endBlock(): boolean {
    const difference = sum / blockSamples - mean;
    blocks = Math.min(blocksOfMean, blocks + 1);
    mean += difference / blocks;
    spread += (difference ** 2 - spread) / blocks;
    sum = 0;
    count = 0;
    isFound = abs(mean) > minOffset && abs(mean) > deviations * sqrt(spread / blocks);
    offset = mean;
    return isFound;
  }

  /**
   * Processes samples until an offset is found; the output is unchanged.
   * @returns the number of samples processed
   */
  function watch(samples: Float32Array): number {
    for (let from = 0; from < samples.length;) {
      const to = Math.min(samples.length, from + blockSamples - count);
      // Sums in order from the block's first sample, so that the result does not depend on the chunk
      // sizes.
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
    // Local variables, because V8 allocates an object for each value of a captured variable.
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
      // Leading zeros are not part of the audio.
      const leadingSamples = first.length === 0 ? leadingZeros(samples) : 0;
      // The caller may reuse the array.
      first = concatenated(first, samples.slice(leadingSamples));
      if (first.length < blockSamples) return samples.subarray(0, leadingSamples);
      const all = first;
      first = undefined;
      begin(all.subarray(0, blockSamples));
      return concatenated(samples.subarray(0, leadingSamples), run(all));
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
