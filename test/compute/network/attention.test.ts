import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../../../shared/compute/network/attention';
import { createUniform } from '../../../shared/runtime/random';
import { fileNeeds, libtensorflow } from '../../support/needs';
import { referenceAttention } from '../../support/reference-network';
import { loadTestEngine } from '../../support/test-engine';

fileNeeds(libtensorflow);

interface Case {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
  /** Standard deviation-like scale of the inputs; 30 makes scores in the hundreds. */
  readonly scale: number;
}

/** [batch][rows][heads × width] */
function randomRows(seed: number, batch: number, rows: number, columns: number, scale: number): number[][][] {
  const uniform = createUniform(seed);
  const value = (): number => Math.fround((uniform() * 2 - 1) * scale);
  return Array.from({ length: batch }, () =>
    Array.from({ length: rows }, () => Array.from({ length: columns }, value)),
  );
}

/** [batch][rows][heads × width] → tensor [batch, heads, rows, width] */
function toTensor(values: readonly number[][][], heads: number): tf.Tensor4D {
  const [rows, columns] = [values[0]!.length, values[0]![0]!.length];
  return tf.tidy(() => {
    const tensor = tf.tensor(values.flat(2), [values.length, rows, heads, columns / heads]);
    return tf.transpose(tensor, [0, 2, 1, 3]) as tf.Tensor4D;
  });
}

function toRows(tensor: tf.Tensor4D): number[][][] {
  const [batch, heads, rows, width] = tensor.shape;
  const joined = tf.tidy(() => tf.reshape(tf.transpose(tensor, [0, 2, 1, 3]), [batch, rows, heads * width]));
  const values = joined.arraySync() as number[][][];
  joined.dispose();
  return values;
}

function inputsOf({
  batch,
  heads,
  queries,
  keys,
  width,
  scale,
}: Case): [number[][][], number[][][], number[][][]] {
  return [
    randomRows(1, batch, queries, heads * width, scale),
    randomRows(2, batch, keys, heads * width, scale),
    randomRows(3, batch, keys, heads * width, scale),
  ];
}

function worstDifference(first: readonly number[][][], second: readonly number[][][]): number {
  const [a, b] = [first.flat(2), second.flat(2)];
  return a.reduce((worst, value, index) => Math.max(worst, Math.abs(value - b[index]!)), 0);
}

const cases: Case[] = [
  { batch: 1, heads: 1, queries: 1, keys: 1, width: 16, scale: 1 },
  { batch: 2, heads: 4, queries: 37, keys: 37, width: 4, scale: 1 },
  { batch: 3, heads: 2, queries: 1, keys: 53, width: 8, scale: 1 },
  { batch: 2, heads: 4, queries: 29, keys: 31, width: 4, scale: 30 },
  // 12.5 M scores: more than one chunk of queries, the last one ragged.
  { batch: 1, heads: 4, queries: 1777, keys: 1777, width: 4, scale: 1 },
];

beforeAll(async () => {
  await loadTestEngine();
});

describe('attention', () => {
  it.each(cases)('is softmax(qkᵀ/√w)v in double precision: %j', (given) => {
    const [q, k, v] = inputsOf(given);
    const expected = q.map((rows, clip) => referenceAttention(rows, k[clip]!, v[clip]!, given.heads));
    const [tq, tk, tv] = [q, k, v].map((rows) => toTensor(rows, given.heads)) as [
      tf.Tensor4D,
      tf.Tensor4D,
      tf.Tensor4D,
    ];
    const output = attention(tq, tk, tv);
    expect(worstDifference(toRows(output), expected)).toBeLessThan(2e-5 * given.scale);
    tf.dispose([tq, tk, tv, output]);
  });

  it.each([cases[1]!, cases[2]!, cases[4]!])(
    'has the gradients that differences of the reference show: %j',
    (given) => {
      const inputs = inputsOf(given);
      const weights = randomRows(4, given.batch, given.queries, given.heads * given.width, 1);
      const loss = (): number => {
        const [q, k, v] = inputs;
        let sum = 0;
        q.forEach((rows, clip) => {
          referenceAttention(rows, k[clip]!, v[clip]!, given.heads).forEach((row, index) => {
            row.forEach((value, column) => (sum += value * weights[clip]![index]![column]!));
          });
        });
        return sum;
      };
      const tensors = inputs.map((rows) => toTensor(rows, given.heads)) as [
        tf.Tensor4D,
        tf.Tensor4D,
        tf.Tensor4D,
      ];
      const upstream = toTensor(weights, given.heads);
      const gradients = tf.grads((q, k, v) =>
        tf.sum(tf.mul(attention(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D), upstream)),
      )(tensors) as tf.Tensor4D[];
      const step = 1e-4;
      gradients.forEach((gradient, which) => {
        const rows = toRows(gradient);
        const input = inputs[which]!;
        for (const [clip, row, column] of [
          [0, 0, 0],
          [given.batch - 1, input[0]!.length - 1, given.width * given.heads - 1],
          [0, Math.floor(input[0]!.length / 2), 1],
        ] as const) {
          const before = input[clip]![row]![column]!;
          input[clip]![row]![column] = before + step;
          const above = loss();
          input[clip]![row]![column] = before - step;
          const below = loss();
          input[clip]![row]![column] = before;
          expect(Math.abs(rows[clip]![row]![column]! - (above - below) / (2 * step))).toBeLessThan(1e-4);
        }
      });
      tf.dispose([tensors, gradients, upstream]);
    },
  );

  it('never holds the whole matrix of scores, forward or backward', async () => {
    const query: tf.Tensor4D = tf.zeros([8, 4, 2251, 4]);
    const loss = (rows: tf.Tensor4D): tf.Scalar => tf.sum(attention(rows, rows, rows));
    const profile = await tf.profile(() => {
      tf.dispose(tf.grad((rows) => loss(rows as tf.Tensor4D))(query));
      return query;
    });
    const sizes = profile.kernels.flatMap(({ outputShapes }) =>
      outputShapes.map((shape) => shape.reduce((product, size) => product * size, 1)),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8 * 1024 * 1024);
    query.dispose();
  });
});
