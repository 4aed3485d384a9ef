import { dropoutMask } from '../../shared/compute/network/dropout';

/**
 * The trunk, the `cnn` and their gradients once more, in double precision and in the plainest loops, for
 * clips of any length: what the native kernels are held against. Layouts are the weights': kernel
 * [tap][in][out], maps [row][channel].
 */
const { exp, floor, log, max } = Math;

type Values = Readonly<Record<string, ArrayLike<number>>>;

export interface ReferenceClip {
  readonly samples: ArrayLike<number>;
  readonly label: number;
  /** The clip's place in its slice, and each layer's mask seed. */
  readonly slot: number;
  readonly seeds: Readonly<Record<string, number>>;
}

export interface ReferencePass {
  readonly logits: number[][];
  /** Summed over the clips. */
  readonly loss: number;
  /** Of the mean cross-entropy. */
  readonly gradients: Record<string, Float64Array>;
}

const blocks = [
  { name: 'conv1', taps: 7, inputs: 1, outputs: 64 },
  { name: 'conv2', taps: 5, inputs: 64, outputs: 32 },
  { name: 'conv3', taps: 3, inputs: 32, outputs: 16 },
] as const;
type Block = (typeof blocks)[number];
const hidden = 128;

/** Rows of the last block for a clip of so many samples. */
export function tokenCount(samples: number): number {
  return blocks.reduce((length, { taps }) => floor((floor((length + 4 - taps) / 2) + 1) / 2), samples);
}

interface BlockPass {
  readonly input: Float64Array;
  /** After ReLU, pool and dropout. */
  readonly output: Float64Array;
  readonly mask: Float64Array;
  /** Convolution row that won, by pooled row and channel; −1 where ReLU let nothing through. */
  readonly winners: Int32Array;
}

/** What follows the trunk, for one clip. */
interface HeadPass {
  readonly logits: Float64Array;
  /** Adds the weights' gradients. @returns the tokens' */
  backward(dLogits: Float64Array): Float64Array;
}
export type ReferenceHead = (
  weights: Values,
  gradients: Record<string, Float64Array>,
  tokens: Float64Array,
  clip: ReferenceClip,
) => HeadPass;

/** @param head after the trunk; the `cnn`'s unless another is given */
export function referencePass(
  weights: Values,
  clips: readonly ReferenceClip[],
  classes: number,
  rate: number,
  head: ReferenceHead = cnnHead(classes),
): ReferencePass {
  const gradients = Object.fromEntries(
    Object.entries(weights).map(([name, values]) => [name, new Float64Array(values.length)]),
  );
  const logits: number[][] = [];
  let loss = 0;
  for (const clip of clips) {
    const passes: BlockPass[] = [];
    let maps: Float64Array = Float64Array.from(clip.samples);
    for (const block of blocks) {
      const pass = forwardBlock(weights, block, maps, clip, rate);
      passes.push(pass);
      maps = pass.output;
    }
    const headPass = head(weights, gradients, maps, clip);
    const row = headPass.logits;
    logits.push([...row]);
    const highest = row.reduce((a, b) => max(a, b));
    const sum = row.reduce((total, value) => total + exp(value - highest), 0);
    loss += log(sum) + highest - row[clip.label]!;

    const dRow = row.map(
      (value, index) => (exp(value - highest) / sum - (index === clip.label ? 1 : 0)) / clips.length,
    );
    let dMaps = headPass.backward(dRow);
    for (const [index, pass] of [...passes.entries()].reverse()) {
      dMaps = backwardBlock(weights, gradients, blocks[index]!, pass, dMaps);
    }
  }
  return { logits, loss, gradients };
}

function cnnHead(classes: number): ReferenceHead {
  return (weights, gradients, maps) => {
    const tokens = maps.length / 16;
    const flat = Float64Array.from(maps, (_, index) => maps[(index % tokens) * 16 + floor(index / tokens)]!);
    const first = dense(weights, 'dense1', flat, hidden);
    const activated = first.map((value) => max(0, value));
    return {
      logits: dense(weights, 'dense2', activated, classes),
      backward: (dRow) => {
        const dActivated = denseGradient(weights, gradients, 'dense2', activated, dRow);
        const dFirst = dActivated.map((value, index) => (first[index]! > 0 ? value : 0));
        const dFlat = denseGradient(weights, gradients, 'dense1', flat, dFirst);
        return dFlat.map((_, index) => dFlat[(index % 16) * tokens + floor(index / 16)]!);
      },
    };
  };
}

function forwardBlock(
  weights: Values,
  { name, taps, inputs, outputs }: Block,
  input: Float64Array,
  clip: ReferenceClip,
  rate: number,
): BlockPass {
  const [kernel, bias] = [weights[`${name}/kernel`]!, weights[`${name}/bias`]!];
  const length = input.length / inputs;
  const rows = floor((floor((length + 4 - taps) / 2) + 1) / 2);
  const output = new Float64Array(rows * outputs);
  const winners = new Int32Array(rows * outputs).fill(-1);
  const all = dropoutMask((clip.slot + 1) * rows * outputs, rate, clip.seeds[name]!);
  const mask = Float64Array.from(all.subarray(clip.slot * rows * outputs));
  for (let row = 0; row < rows; row++) {
    for (let out = 0; out < outputs; out++) {
      let best = -Infinity;
      for (const position of [2 * row, 2 * row + 1]) {
        let sum = bias[out]!;
        for (let tap = 0; tap < taps; tap++) {
          const from = 2 * position + tap - 2;
          if (from < 0 || from >= length) continue;
          for (let c = 0; c < inputs; c++) {
            sum += input[from * inputs + c]! * kernel[(tap * inputs + c) * outputs + out]!;
          }
        }
        if (sum > best) {
          best = sum;
          if (sum > 0) winners[row * outputs + out] = position;
        }
      }
      output[row * outputs + out] = max(0, best) * mask[row * outputs + out]!;
    }
  }
  return { input, output, mask, winners };
}

function backwardBlock(
  weights: Values,
  gradients: Record<string, Float64Array>,
  { name, taps, inputs, outputs }: Block,
  { input, mask, winners }: BlockPass,
  dOutput: Float64Array,
): Float64Array {
  const kernel = weights[`${name}/kernel`]!;
  const [dKernel, dBias] = [gradients[`${name}/kernel`]!, gradients[`${name}/bias`]!];
  const dInput = new Float64Array(input.length);
  const length = input.length / inputs;
  dOutput.forEach((value, index) => {
    const gradient = value * mask[index]!;
    if (winners[index]! < 0 || gradient === 0) return;
    const out = index % outputs;
    dBias[out]! += gradient;
    for (let tap = 0; tap < taps; tap++) {
      const from = 2 * winners[index]! + tap - 2;
      if (from < 0 || from >= length) continue;
      for (let c = 0; c < inputs; c++) {
        const at = (tap * inputs + c) * outputs + out;
        dKernel[at]! += gradient * input[from * inputs + c]!;
        dInput[from * inputs + c]! += gradient * kernel[at]!;
      }
    }
  });
  return dInput;
}

function dense(weights: Values, name: string, input: Float64Array, outputs: number): Float64Array {
  const kernel = weights[`${name}/kernel`]!;
  const result = Float64Array.from(weights[`${name}/bias`]!);
  input.forEach((value, row) => {
    for (let out = 0; out < outputs; out++) result[out]! += value * kernel[row * outputs + out]!;
  });
  return result;
}

/** @returns the gradient of the input; the weights' is added to `gradients` */
function denseGradient(
  weights: Values,
  gradients: Record<string, Float64Array>,
  name: string,
  input: Float64Array,
  dOutput: Float64Array,
): Float64Array {
  const [kernel, dKernel] = [weights[`${name}/kernel`]!, gradients[`${name}/kernel`]!];
  const outputs = dOutput.length;
  dOutput.forEach((value, out) => {
    gradients[`${name}/bias`]![out]! += value;
  });
  return input.map((value, row) => {
    let sum = 0;
    for (let out = 0; out < outputs; out++) {
      dKernel[row * outputs + out]! += value * dOutput[out]!;
      sum += kernel[row * outputs + out]! * dOutput[out]!;
    }
    return sum;
  });
}
