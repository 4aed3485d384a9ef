import type { NetworkConfig } from '../../shared/contracts/architecture';

/**
 * The report's two networks once more, in double precision and in the plainest loops, written from the
 * report alone: the reference that the fast ones are held against. PyTorch's layouts:
 * [channels][length], [tokens][width].
 */
// Jest's own context makes each look-up of a global slow: take them once.
const { cos, exp, floor, max, pow, sin, sqrt } = Math;

type Values = Readonly<Record<string, ArrayLike<number>>>;
type Matrix = Float64Array[];

export function referenceLogits(config: NetworkConfig, weights: Values, input: ArrayLike<number>): number[] {
  return referenceHead(config, weights, referenceTrunk(weights, input));
}

/** @param maps what the trunk makes of the input */
export function referenceHead(config: NetworkConfig, weights: Values, maps: Matrix): number[] {
  if (config.architecture === 'cnn') {
    const flat = maps.flatMap((channel) => Array.from(channel));
    const hidden = dense(flat, weights, 'dense1').map((value) => max(0, value));
    return dense(hidden, weights, 'dense2');
  }
  if (config.architecture !== 'transformer') throw new RangeError(`no reference for ${config.architecture}`);
  return transformerLogits(config.heads, weights, maps);
}

/** [16][2250] */
export function referenceTrunk(weights: Values, input: ArrayLike<number>): Matrix {
  let maps: Matrix = [Float64Array.from(input)];
  for (const [name, kernelSize, outChannels] of [
    ['conv1', 7, 64],
    ['conv2', 5, 32],
    ['conv3', 3, 16],
  ] as const) {
    maps = maxPool(
      relu(convolve(maps, weights[`${name}/kernel`]!, weights[`${name}/bias`]!, kernelSize, outChannels)),
    );
  }
  return maps;
}

/** Stride 2, padding 2; kernel laid out [tap][in][out]. */
function convolve(
  maps: Matrix,
  kernel: ArrayLike<number>,
  bias: ArrayLike<number>,
  kernelSize: number,
  outChannels: number,
): Matrix {
  const inChannels = maps.length;
  const length = maps[0]!.length;
  const outLength = floor((length + 4 - kernelSize) / 2) + 1;
  return Array.from({ length: outChannels }, (_, out) => {
    const row = new Float64Array(outLength).fill(bias[out]!);
    for (let channel = 0; channel < inChannels; channel++) {
      const source = maps[channel]!;
      for (let tap = 0; tap < kernelSize; tap++) {
        const weight = kernel[(tap * inChannels + channel) * outChannels + out]!;
        for (let index = 0; index < outLength; index++) {
          const position = index * 2 + tap - 2;
          if (position >= 0 && position < length) row[index]! += weight * source[position]!;
        }
      }
    }
    return row;
  });
}

function relu(maps: Matrix): Matrix {
  return maps.map((row) => row.map((value) => max(0, value)));
}

function maxPool(maps: Matrix): Matrix {
  return maps.map((row) =>
    Float64Array.from({ length: floor(row.length / 2) }, (_, i) => max(row[2 * i]!, row[2 * i + 1]!)),
  );
}

/** kernel laid out [in][out] */
function dense(input: readonly number[], weights: Values, name: string): number[] {
  const kernel = weights[`${name}/kernel`]!;
  const bias = weights[`${name}/bias`]!;
  const output = Array.from(bias);
  input.forEach((value, row) => {
    for (let column = 0; column < output.length; column++) {
      output[column]! += value * kernel[row * output.length + column]!;
    }
  });
  return output;
}

function transformerLogits(heads: number, weights: Values, maps: Matrix): number[] {
  const width = maps.length;
  const tokens = [
    Array.from(weights['classToken']!),
    ...Array.from({ length: maps[0]!.length }, (_, position) => maps.map((channel) => channel[position]!)),
  ];
  let rows = tokens.map((token, t) =>
    token.map((value, i) => {
      const angle = t / pow(10000, (2 * floor(i / 2)) / width);
      return value + (i % 2 === 0 ? sin(angle) : cos(angle));
    }),
  );
  for (const block of ['attention1', 'attention2', 'attention3', 'attention4']) {
    // The logits depend on the first row of the last block alone.
    const asking = block === 'attention4' ? rows.slice(0, 1) : rows;
    const project = (from: readonly number[][], part: string): number[][] =>
      from.map((row) => dense(row, weights, `${block}/${part}`));
    const attended = referenceAttention(
      project(asking, 'query'),
      project(rows, 'key'),
      project(rows, 'value'),
      heads,
    );
    rows = attended.map((row, index) =>
      layerNorm(add(rows[index]!, dense(row, weights, `${block}/out`)), weights, `${block}/norm`),
    );
  }
  const first = rows[0]!;
  const expanded = dense(first, weights, 'feedForward/in').map((value) => max(0, value));
  const fed = layerNorm(add(first, dense(expanded, weights, 'feedForward/out')), weights, 'feedForward/norm');
  return dense(fed, weights, 'head');
}

/** softmax(q kᵀ / √w) v, head by head; rows are [heads × w]. */
export function referenceAttention(
  query: readonly (readonly number[])[],
  key: readonly (readonly number[])[],
  value: readonly (readonly number[])[],
  heads: number,
): number[][] {
  const columns = query[0]!.length;
  const width = columns / heads;
  const scale = 1 / sqrt(width);
  // A head's keys and values one after another, and no call in the inner loops: there are millions of
  // scores.
  const ofHead = (rows: readonly (readonly number[])[], head: number): Float64Array =>
    Float64Array.from(rows.flatMap((row) => row.slice(head * width, (head + 1) * width)));
  const output = query.map(() => new Array<number>(columns).fill(0));
  const exponentials = new Float64Array(key.length);
  for (let head = 0; head < heads; head++) {
    const [queries, keys, values] = [ofHead(query, head), ofHead(key, head), ofHead(value, head)];
    for (let row = 0; row < query.length; row++) {
      let highest = -Infinity;
      for (let at = 0, k = 0; k < exponentials.length; k++) {
        let product = 0;
        for (let i = row * width; i < (row + 1) * width; i++, at++) product += queries[i]! * keys[at]!;
        const score = product * scale;
        exponentials[k] = score;
        if (score > highest) highest = score;
      }
      const sums = new Float64Array(width);
      let total = 0;
      for (let at = 0, k = 0; k < exponentials.length; k++) {
        const exponential = exp(exponentials[k]! - highest);
        total += exponential;
        for (let i = 0; i < width; i++, at++) sums[i]! += exponential * values[at]!;
      }
      for (let i = 0; i < width; i++) output[row]![head * width + i] = sums[i]! / total;
    }
  }
  return output;
}

function layerNorm(row: readonly number[], weights: Values, name: string): number[] {
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
  const [scale, shift] = [weights[`${name}/scale`]!, weights[`${name}/shift`]!];
  return row.map((value, i) => ((value - mean) / sqrt(variance + 1e-5)) * scale[i]! + shift[i]!);
}

function add(first: readonly number[], second: readonly number[]): number[] {
  return first.map((value, index) => value + second[index]!);
}
