import * as tf from '@tensorflow/tfjs-core';
import { batchNorm } from '../../../shared/compute/network/batch-norm';
import { createUniform } from '../../../shared/runtime/random';
import { fileNeeds, libtensorflow } from '../../support/needs';
import { loadTestEngine } from '../../support/test-engine';

fileNeeds(libtensorflow);

const [clips, length, channels] = [3, 32, 4];
const uniform = createUniform(6);
const draw = (count: number, from: number): number[] => Array.from({ length: count }, () => from + uniform());
const values = {
  input: draw(clips * length * channels, -2),
  scale: draw(channels, 0.5),
  shift: draw(channels, -0.5),
  mean: draw(channels, -0.5),
  variance: draw(channels, 0.5),
};

/** In double precision: the batch's statistics, then ReLU. */
function reference({ input, scale, shift }: typeof values): {
  readonly means: number[];
  readonly variances: number[];
  readonly output: number[];
} {
  const count = input.length / channels;
  const column = (c: number): number[] => input.filter((_, i) => i % channels === c);
  const means = scale.map((_, c) => column(c).reduce((sum, x) => sum + x, 0) / count);
  const variances = scale.map((_, c) => column(c).reduce((sum, x) => sum + (x - means[c]!) ** 2, 0) / count);
  const output = input.map((x, i) => {
    const c = i % channels;
    return Math.max(0, ((x - means[c]!) / Math.sqrt(variances[c]! + 1e-5)) * scale[c]! + shift[c]!);
  });
  return { means, variances, output };
}

/** What a loss adds up to: some outputs count more than others, so that no gradient is 0 by symmetry. */
const share = (i: number): number => Math.sin(i);

describe('batch norm in training, with ReLU', () => {
  const statistics: Record<string, Float32Array> = {};
  let output: Float32Array;
  let gradients: Record<string, Float32Array>;

  beforeAll(async () => {
    await loadTestEngine();
    const constants = { 'l/mean': tf.tensor1d(values.mean), 'l/variance': tf.tensor1d(values.variance) };
    const shares = tf.tensor(
      values.input.map((_, i) => share(i)),
      [clips, 1, length, channels],
    );
    const variables = {
      input: tf.variable(tf.tensor(values.input, [clips, 1, length, channels])),
      'l/scale': tf.variable(tf.tensor1d(values.scale)),
      'l/shift': tf.variable(tf.tensor1d(values.shift)),
    };
    const training = {
      seed: 1,
      updateStatistic: (name: string, value: tf.Tensor) => {
        statistics[name] = value.dataSync<'float32'>();
        value.dispose();
      },
    };
    const { grads } = tf.variableGrads(() => {
      const normalised = batchNorm(
        { ...constants, ...variables },
        variables.input as unknown as tf.Tensor4D,
        'l',
        { training, relu: true },
      );
      output = normalised.dataSync<'float32'>();
      return tf.sum(tf.mul(normalised, shares));
    }, Object.values(variables));
    gradients = Object.fromEntries(
      Object.entries(variables).map(([name, variable]) => [
        name,
        grads[variable.name]!.dataSync<'float32'>(),
      ]),
    );
    tf.dispose([constants, shares, variables, grads]);
  });

  it("takes the batch's own statistics, and keeps a running mean of them", () => {
    const expected = reference(values);
    expected.output.forEach((value, i) => {
      expect(Math.abs(output[i]! - value)).toBeLessThan(1e-5);
    });
    const count = clips * length;
    for (let c = 0; c < channels; c++) {
      expect(statistics['l/mean']![c]).toBeCloseTo(0.9 * values.mean[c]! + 0.1 * expected.means[c]!, 5);
      // The variance's estimate is the unbiased one.
      const unbiased = (expected.variances[c]! * count) / (count - 1);
      expect(statistics['l/variance']![c]).toBeCloseTo(0.9 * values.variance[c]! + 0.1 * unbiased, 5);
    }
  });

  it.each(['input', 'scale', 'shift'] as const)(
    'has the gradients of its %s that differences show, through the statistics too',
    (name) => {
      const gradient = gradients[name === 'input' ? name : `l/${name}`]!;
      const largest = gradient.reduce(
        (best, value, i) => (Math.abs(value) > Math.abs(gradient[best]!) ? i : best),
        0,
      );
      const lossAt = (step: number): number => {
        const moved = values[name].map((value, i) => (i === largest ? value + step : value));
        return reference({ ...values, [name]: moved }).output.reduce((sum, y, i) => sum + y * share(i), 0);
      };
      const slope = (lossAt(1e-6) - lossAt(-1e-6)) / 2e-6;
      expect(Math.abs(gradient[largest]! - slope) / Math.abs(slope)).toBeLessThan(1e-4);
    },
  );
});
