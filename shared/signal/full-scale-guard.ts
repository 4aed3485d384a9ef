/** What becomes of samples far beyond full scale. */
export type FullScaleEvent = 'muted' | 'rescaled';

/** What is said to whoever sent such sound. */
export const fullScaleWarnings: Readonly<Record<FullScaleEvent, string>> = {
  muted: 'Some samples are far beyond full scale, as a damaged frame decodes to; they were muted.',
  rescaled:
    'The samples are far beyond full scale and were taken to be of another scale: their level is not known.',
};

/** Takes a signal in pieces. */
export interface SignalStage {
  /** May give less than came, or more of what was held back; the input's own memory where nothing is changed. */
  push(samples: Float32Array): Float32Array;
  /** What was held back; nothing more comes. */
  finish(): Float32Array;
}

/** 18 dB above full scale: no clipping of an encoder goes so far. */
export const fullScaleLimit = 8;
const blockSeconds = 0.01;
/** Blocks beyond the limit: so many are no damage any more, but the sender's scale… */
const loudBlocksOfScale = 50;
/** … and so many in a row within it end a damaged stretch. */
const quietBlocksOfEnd = 10;
/** Sound within full scale for so long ends another scale. */
const returnSeconds = 2;
/** Largest values of the whole numbers that programs write as floats. */
const wholeScales = [2 ** 15, 2 ** 23, 2 ** 31];

const { abs, ceil, log2, max, min, round } = Math;

interface Block {
  readonly peak: number;
  readonly isLoud: boolean;
}

/**
 * By what samples of another scale are to be multiplied: a power of two, so that only their size changes.
 * @param largest of their absolute values
 * @param areWhole whether all of them are whole numbers
 */
export function gainFor(largest: number, areWhole: boolean): number {
  const whole = areWhole ? wholeScales.find((scale) => largest <= scale) : undefined;
  return 1 / (whole ?? 2 ** ceil(log2(largest)));
}

/**
 * Deals with samples more than 18 dB beyond full scale, which no microphone gives; others pass unchanged. A stretch of less than
 * half a second of them is damage (a broken frame decodes to 2·10⁹) and muted. More of them, and whole numbers, are a sender's own
 * scale: from there on the signal is divided by a power of two, until it stays within full scale for 2 s. The output is as long as the input, and the same however the input is cut.
 */
export function createFullScaleGuard(
  sampleRate: number,
  onEvent: (event: FullScaleEvent) => void,
): SignalStage {
  const blockSamples = max(1, round(blockSeconds * sampleRate));
  let gain = 1;
  /** What is held back from the first sample beyond the limit on. */
  let held = new Float32Array(0);
  let blocks: Block[] = [];
  let hasSounded = false;
  /** Fractions within full scale in a row, while another scale is taken for granted. */
  let within = 0;

  function firstBeyond(samples: Float32Array): number {
    const most = fullScaleLimit / gain;
    for (let index = 0; index < samples.length; index += 1) if (abs(samples[index]!) > most) return index;
    return samples.length;
  }

  /** At the present scale; may end it on the way. */
  function scaled(samples: Float32Array): Float32Array {
    if (!hasSounded) hasSounded = samples.some((sample) => sample !== 0);
    if (gain === 1) return samples;
    const out = new Float32Array(samples.length);
    for (let index = 0; index < samples.length; index += 1) {
      const sample = samples[index]!;
      out[index] = sample * gain;
      within = abs(sample) > 1 ? 0 : within + (Number.isInteger(sample) ? 0 : 1);
      if (within < returnSeconds * sampleRate) continue;
      gain = 1;
      within = 0;
      return join([out.subarray(0, index + 1), samples.subarray(index + 1)]);
    }
    return out;
  }

  function look(from: number): Block {
    let peak = 0;
    const end = min(held.length, from + blockSamples);
    for (let index = from; index < end; index += 1) peak = max(peak, abs(held[index]!));
    return { peak, isLoud: peak * gain > fullScaleLimit };
  }

  /** Loud blocks and those behind them become silence, and what follows is faded in. */
  function muted(): Float32Array {
    onEvent('muted');
    const out = scaled(held.slice());
    blocks.forEach(({ isLoud }, block) => {
      const part = out.subarray(block * blockSamples, (block + 1) * blockSamples);
      // A decoder's frames overlap: what comes behind a damaged one is damaged, too.
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
    const looked = held.subarray(0, blocks.length * blockSamples);
    gain = gainFor(max(...blocks.map(({ peak }) => peak)), areWhole(looked));
    within = 0;
  }

  /** Takes what is held for sound of another scale. @returns it, at that scale */
  function heldRescaled(): Float32Array {
    rescale();
    const again = held;
    release();
    return push(again);
  }

  /** Goes on with what is held. @returns what can be given out */
  function work(): Float32Array {
    while ((blocks.length + 1) * blockSamples <= held.length) {
      blocks.push(look(blocks.length * blockSamples));
      // Once another scale is known, louder sound is no damage.
      if (gain !== 1 || blocks.filter(({ isLoud }) => isLoud).length >= loudBlocksOfScale)
        return heldRescaled();
      const last = blocks.slice(-quietBlocksOfEnd);
      if (last.length < quietBlocksOfEnd || last.some(({ isLoud }) => isLoud)) continue;
      // A damaged frame decodes to no whole numbers.
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
      return work();
    }
    const beyond = firstBeyond(samples);
    const before = scaled(samples.subarray(0, beyond));
    if (beyond === samples.length) return before;
    held = samples.slice(beyond);
    return join([before, work()]);
  }

  return {
    push,
    finish() {
      if (held.length === 0) return held;
      if (blocks.length * blockSamples < held.length) blocks.push(look(blocks.length * blockSamples));
      // All there is of a short recording: its scale rather than damage.
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
