/** How samples far beyond full scale were handled. */
export type FullScaleEvent = 'muted' | 'rescaled';

/** The warnings for the sender of such a recording. */
export const fullScaleWarnings: Readonly<Record<FullScaleEvent, string>> = {
  muted: 'Some samples are far beyond full scale, as a damaged frame decodes to; they were muted.',
  rescaled:
    'The samples are far beyond full scale and were taken to be of another scale: their level is not known.',
};

/** A stage that processes a signal in chunks. */
export interface SignalStage {
  /**
   * Processes a chunk. The result may be shorter or longer, because samples are held back; without
   * changes it is the input array.
   */
  push(samples: Float32Array): Float32Array;
  /** Ends the signal and returns the samples that were held back. */
  finish(): Float32Array;
}

/** 18 dB above full scale, far above what clipping in an encoder produces. */
export const fullScaleLimit = 8;
const blockSeconds = 0.01;
/** A signal with this many blocks beyond the limit has another scale and is not damaged. */
const loudBlocksOfScale = 50;
/** This many blocks in a row within the limit end a damaged part. */
const quietBlocksOfEnd = 10;
/** Samples within full scale for this long end another scale. */
const returnSeconds = 2;
/** Largest absolute values of integers that programs write as floats. */
const wholeScales = [2 ** 15, 2 ** 23, 2 ** 31];

const { abs, ceil, log2, max, min, round } = Math;

interface Block {
  readonly peak: number;
  readonly isLoud: boolean;
}

/**
 * Returns the factor for samples of another scale. It is a power of two, so that rounding does not
 * change.
 * @param largest maximum of their absolute values
 * @param areWhole whether all of them are integers
 */
export function gainFor(largest: number, areWhole: boolean): number {
  const whole = areWhole ? wholeScales.find((scale) => largest <= scale) : undefined;
  return 1 / (whole ?? 2 ** ceil(log2(largest)));
}

/**
 * Handles samples more than 18 dB beyond full scale, which no microphone produces; other samples pass
 * unchanged. Less than half a second of them is damage (a broken frame decodes to 2·10⁹) and is muted.
 * More of them, or integers, mean another scale: from there on the signal is divided by a power of two
 * until it stays within full scale for 2 s. The output has the length of the input and does not depend
 * on the chunk sizes.
 */
export function createFullScaleGuard(
  sampleRate: number,
  onEvent: (event: FullScaleEvent) => void,
): SignalStage {
  const blockSamples = max(1, round(blockSeconds * sampleRate));
  let gain = 1;
  /** Samples held back, from the first one beyond the limit on. */
  let held = new Float32Array(0);
  let blocks: Block[] = [];
  let hasSounded = false;
  /** Number of fractions within full scale in a row, while another scale is assumed. */
  let quietFractions = 0;

  function firstBeyond(samples: Float32Array): number {
    const limit = fullScaleLimit / gain;
    for (let index = 0; index < samples.length; index += 1) if (abs(samples[index]!) > limit) return index;
    return samples.length;
  }

  /** Scales samples at the present factor, and ends the other scale where it is no longer used. */
  function scaled(samples: Float32Array): Float32Array {
    if (!hasSounded) hasSounded = samples.some((sample) => sample !== 0);
    if (gain === 1) return samples;
    const out = new Float32Array(samples.length);
    for (let index = 0; index < samples.length; index += 1) {
      const sample = samples[index]!;
      out[index] = sample * gain;
      quietFractions = abs(sample) > 1 ? 0 : quietFractions + (Number.isInteger(sample) ? 0 : 1);
      if (quietFractions < returnSeconds * sampleRate) continue;
      gain = 1;
      quietFractions = 0;
      return join([out.subarray(0, index + 1), samples.subarray(index + 1)]);
    }
    return out;
  }

  function inspectBlock(from: number): Block {
    let peak = 0;
    const end = min(held.length, from + blockSamples);
    for (let index = from; index < end; index += 1) peak = max(peak, abs(held[index]!));
    return { peak, isLoud: peak * gain > fullScaleLimit };
  }

  /** Mutes the loud blocks and the block after each, and fades in what follows. */
  function muted(): Float32Array {
    onEvent('muted');
    const out = scaled(held.slice());
    blocks.forEach(({ isLoud }, block) => {
      const part = out.subarray(block * blockSamples, (block + 1) * blockSamples);
      // The frames of a decoder overlap, so the block after a damaged one is damaged too.
      if (isLoud || blocks[block - 1]?.isLoud === true) part.fill(0);
      else if (blocks[block - 2]?.isLoud === true)
        for (let index = 0; index < part.length; index += 1) part[index]! *= index / part.length;
    });
    return out;
  }

  function release(): void {
    held = new Float32Array(0);
    blocks = [];
  }

  function rescale(): void {
    onEvent('rescaled');
    const inspected = held.subarray(0, blocks.length * blockSamples);
    gain = gainFor(max(...blocks.map(({ peak }) => peak)), areWhole(inspected));
    quietFractions = 0;
  }

  /**
   * Determines the scale from the held samples.
   * @returns the held samples at that scale
   */
  function heldRescaled(): Float32Array {
    rescale();
    const again = held;
    release();
    return push(again);
  }

  /**
   * Decides about the held samples.
   * @returns the samples that can be passed on
   */
  function decide(): Float32Array {
    while ((blocks.length + 1) * blockSamples <= held.length) {
      blocks.push(inspectBlock(blocks.length * blockSamples));
      // While another scale is assumed, louder samples are not damage.
      if (gain !== 1 || blocks.filter(({ isLoud }) => isLoud).length >= loudBlocksOfScale)
        return heldRescaled();
      const last = blocks.slice(-quietBlocksOfEnd);
      if (last.length < quietBlocksOfEnd || last.some(({ isLoud }) => isLoud)) continue;
      // A damaged frame does not decode to integers.
      if (areWhole(held.subarray(0, blocks.length * blockSamples))) return heldRescaled();
      const rest = held.slice(blocks.length * blockSamples);
      held = held.subarray(0, blocks.length * blockSamples);
      const out = muted();
      release();
      return join([out, push(rest)]);
    }
    return new Float32Array(0);
  }

  function push(samples: Float32Array): Float32Array {
    if (held.length > 0) {
      held = join([held, samples]);
      return decide();
    }
    const beyond = firstBeyond(samples);
    const before = scaled(samples.subarray(0, beyond));
    if (beyond === samples.length) return before;
    held = samples.slice(beyond);
    return join([before, decide()]);
  }

  return {
    push,
    finish() {
      if (held.length === 0) return held;
      if (blocks.length * blockSamples < held.length) blocks.push(inspectBlock(blocks.length * blockSamples));
      // The whole of a short recording: this is its scale and not damage.
      if (gain === 1 && hasSounded && !areWhole(held)) return muted();
      rescale();
      return scaled(held);
    },
  };
}

function areWhole(samples: Float32Array): boolean {
  return samples.every((sample) => Number.isInteger(sample));
}

function join(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
