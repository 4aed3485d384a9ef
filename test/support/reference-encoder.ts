import { dropoutMask } from '../../shared/compute/network/dropout';

/**
 * The transformer's encoder and its gradients once more, in double precision and in the plainest loops,
 * for any number of tokens and with the whole matrix of scores: what the native kernels are held
 * against.
 */
const { cos, exp, floor, max, pow, sin, sqrt } = Math;

const width = 16;

export type Values = Readonly<Record<string, ArrayLike<number>>>;

export interface EncoderSettings {
  readonly heads: number;
  readonly rate: number;
  /** The clip's place in its slice, and each layer's mask seed. */
  readonly slot: number;
  readonly seeds: Readonly<Record<string, number>>;
}

/** A matrix, row by row, and the loss's gradient by it. */
interface Node {
  readonly rows: number;
  readonly columns: number;
  readonly value: Float64Array;
  readonly gradient: Float64Array;
}

export interface EncoderPass {
  readonly logits: Float64Array;
  /** Adds the weights' gradients to `gradients`. @returns the tokens' */
  backward(dLogits: ArrayLike<number>): Float64Array;
}

/** @param tokens [count][16], the trunk's */
export function referenceEncoder(
  weights: Values,
  gradients: Readonly<Record<string, Float64Array>>,
  tokens: ArrayLike<number>,
  settings: EncoderSettings,
): EncoderPass {
  const steps: (() => void)[] = [];
  const node = (rows: number, columns: number): Node => ({
    rows,
    columns,
    value: new Float64Array(rows * columns),
    gradient: new Float64Array(rows * columns),
  });

  const dense = (input: Node, name: string): Node => {
    const [kernel, bias] = [weights[`${name}/kernel`]!, weights[`${name}/bias`]!];
    const [dKernel, dBias] = [gradients[`${name}/kernel`]!, gradients[`${name}/bias`]!];
    const output = node(input.rows, bias.length);
    const { columns } = output;
    for (let at = 0; at < output.value.length; at++) {
      const [row, column] = [floor(at / columns), at % columns];
      let sum = bias[column]!;
      for (let j = 0; j < input.columns; j++) {
        sum += input.value[row * input.columns + j]! * kernel[j * columns + column]!;
      }
      output.value[at] = sum;
    }
    steps.push(() => {
      output.gradient.forEach((gradient, at) => {
        const [row, column] = [floor(at / columns), at % columns];
        dBias[column]! += gradient;
        for (let j = 0; j < input.columns; j++) {
          dKernel[j * columns + column]! += gradient * input.value[row * input.columns + j]!;
          input.gradient[row * input.columns + j]! += gradient * kernel[j * columns + column]!;
        }
      });
    });
    return output;
  };

  const drop = (input: Node, place: string): Node => {
    const { slot, rate, seeds } = settings;
    const size = input.value.length;
    const mask = dropoutMask((slot + 1) * size, rate, seeds[place]!).subarray(slot * size);
    return each(
      input,
      (value, at) => value * mask[at]!,
      (at) => mask[at]!,
    );
  };

  const each = (
    input: Node,
    value: (x: number, at: number) => number,
    slope: (at: number) => number,
  ): Node => {
    const output = node(input.rows, input.columns);
    input.value.forEach((x, at) => (output.value[at] = value(x, at)));
    steps.push(() => {
      output.gradient.forEach((gradient, at) => (input.gradient[at]! += gradient * slope(at)));
    });
    return output;
  };

  const relu = (input: Node): Node =>
    each(
      input,
      (x) => max(0, x),
      (at) => (input.value[at]! > 0 ? 1 : 0),
    );

  const add = (first: Node, second: Node): Node => {
    const output = node(first.rows, first.columns);
    output.value.set(first.value.map((value, at) => value + second.value[at]!));
    steps.push(() => {
      output.gradient.forEach((gradient, at) => {
        first.gradient[at]! += gradient;
        second.gradient[at]! += gradient;
      });
    });
    return output;
  };

  const layerNorm = (input: Node, name: string): Node => {
    const [scale, shift] = [weights[`${name}/scale`]!, weights[`${name}/shift`]!];
    const output = node(input.rows, width);
    for (let start = 0; start < input.value.length; start += width) {
      const row = input.value.subarray(start, start + width);
      const mean = row.reduce((sum, x) => sum + x, 0) / width;
      const deviation = sqrt(row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width + 1e-5);
      const normal = row.map((x) => (x - mean) / deviation);
      normal.forEach((x, c) => (output.value[start + c] = x * scale[c]! + shift[c]!));
      steps.push(() => {
        const upstream = output.gradient.subarray(start, start + width);
        const inner = upstream.map((gradient, c) => {
          gradients[`${name}/scale`]![c]! += gradient * normal[c]!;
          gradients[`${name}/shift`]![c]! += gradient;
          return gradient * scale[c]!;
        });
        const meanInner = inner.reduce((sum, x) => sum + x, 0) / width;
        const product = inner.reduce((sum, x, c) => sum + x * normal[c]!, 0) / width;
        inner.forEach((x, c) => {
          input.gradient[start + c]! += (x - meanInner - normal[c]! * product) / deviation;
        });
      });
    }
    return output;
  };

  const attention = (query: Node, key: Node, value: Node): Node => {
    const output = node(query.rows, width);
    const size = width / settings.heads;
    const dot = (a: Float64Array, aAt: number, b: Float64Array, bAt: number): number => {
      let sum = 0;
      for (let d = 0; d < size; d++) sum += a[aAt + d]! * b[bAt + d]!;
      return sum;
    };
    for (let at = 0; at < output.value.length; at += size) {
      const head = at % width;
      const scores = Float64Array.from(
        { length: key.rows },
        (_, row) => dot(query.value, at, key.value, row * width + head) / sqrt(size),
      );
      const highest = scores.reduce((a, b) => max(a, b), -Infinity);
      const powers = scores.map((score) => exp(score - highest));
      const sum = powers.reduce((a, b) => a + b, 0);
      const shares = powers.map((power) => power / sum);
      shares.forEach((share, row) => {
        for (let d = 0; d < size; d++) output.value[at + d]! += share * value.value[row * width + head + d]!;
      });
      steps.push(() => {
        const expected = dot(output.gradient, at, output.value, at);
        shares.forEach((share, row) => {
          const from = row * width + head;
          const dScore = (share * (dot(output.gradient, at, value.value, from) - expected)) / sqrt(size);
          for (let d = 0; d < size; d++) {
            value.gradient[from + d]! += share * output.gradient[at + d]!;
            query.gradient[at + d]! += dScore * key.value[from + d]!;
            key.gradient[from + d]! += dScore * query.value[at + d]!;
          }
        });
      });
    }
    return output;
  };

  const firstRow = (input: Node): Node => {
    const output = node(1, width);
    output.value.set(input.value.subarray(0, width));
    steps.push(() => {
      output.gradient.forEach((gradient, c) => (input.gradient[c]! += gradient));
    });
    return output;
  };

  const sequence = node(tokens.length / width + 1, width);
  sequence.value.forEach((_, at) => {
    const [token, channel] = [floor(at / width), at % width];
    const angle = token / pow(10_000, (2 * floor(channel / 2)) / width);
    const position = channel % 2 === 0 ? sin(angle) : cos(angle);
    sequence.value[at] = (at < width ? weights['classToken']![at]! : tokens[at - width]!) + position;
  });
  let hidden = sequence;
  for (const block of ['attention1', 'attention2', 'attention3', 'attention4']) {
    const rows = block === 'attention4' ? firstRow(hidden) : hidden;
    const [query, key, value] = [
      dense(rows, `${block}/query`),
      dense(hidden, `${block}/key`),
      dense(hidden, `${block}/value`),
    ];
    const projected = dense(attention(query, key, value), `${block}/out`);
    hidden = layerNorm(add(rows, drop(projected, block)), `${block}/norm`);
  }
  const fed = dense(relu(dense(hidden, 'feedForward/in')), 'feedForward/out');
  const features = layerNorm(add(hidden, drop(fed, 'feedForward')), 'feedForward/norm');
  const logits = dense(features, 'head');
  return {
    logits: logits.value,
    backward: (dLogits) => {
      logits.gradient.set(dLogits);
      for (const step of steps.reverse()) step();
      sequence.gradient
        .subarray(0, width)
        .forEach((gradient, c) => (gradients['classToken']![c]! += gradient));
      return sequence.gradient.slice(width);
    },
  };
}
