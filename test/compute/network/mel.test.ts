import * as tf from '@tensorflow/tfjs-core';
import { melSchema } from '../../../shared/contracts/architecture';
import { createScorer } from '../../../shared/compute/inference/scorer';
import { loadEngine, type LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { createNetwork } from '../../../shared/compute/network/create-network';
import { initialWeights } from '../../../shared/compute/network/initial-weights';
import { parameterCount, type Network } from '../../../shared/compute/network/network';
import { createUniform } from '../../../shared/runtime/random';
import { fileNeeds, libtensorflow } from '../../support/needs';
import { referenceMel } from '../../support/reference-mel';
import { chooseTestEngine, loadTestEngine } from '../../support/test-engine';

fileNeeds(libtensorflow);

const classes = 10;
const frames = 32;
const small = createNetwork(melSchema.parse({ architecture: 'mel-small', dropout: 0 }), classes);

/** Weights of a network that has seen something: statistics that are neither 0 nor 1. */
function livedValues(network: Network, seed: number): Record<string, Float32Array> {
  const values = initialWeights(network, seed);
  const uniform = createUniform(seed);
  for (const { name } of network.parameters) {
    if (/scale|variance/.test(name)) values[name] = values[name]!.map(() => 0.5 + uniform());
    if (/shift|mean/.test(name)) values[name] = values[name]!.map(() => uniform() - 0.5);
  }
  return values;
}

function decibels(seed: number, length = frames * 64): Float32Array {
  const uniform = createUniform(seed);
  return Float32Array.from({ length }, () => -3 * uniform());
}

function joined(inputs: readonly Float32Array[]): Float32Array {
  return Float32Array.from(inputs.flatMap((input) => Array.from(input)));
}

let engine: LoadedEngine;

beforeAll(async () => {
  const { kind, choice, description } = await loadTestEngine();
  // TensorFlow.js: test/native holds the kernels against the same reference.
  engine = { kind, choice, description };
});

describe('mel', () => {
  it.each([
    ['mel', 465_218],
    ['mel-small', 79_862],
  ] as const)('%s has %i parameters, and its table counts the same', (architecture, expected) => {
    const network = createNetwork(melSchema.parse({ architecture }), classes);
    expect(parameterCount(network)).toBe(expected);
    const rows = network.layers(1);
    expect(rows.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(expected);
    expect(rows.map(({ outputShape }) => outputShape.join('×'))).toContain(
      architecture === 'mel' ? '1×8×1×256' : '1×8×1×64',
    );
  });

  it('gives the logits of a double-precision reference when nothing is learned', () => {
    const values = livedValues(small, 3);
    const inputs = [decibels(1), decibels(2)];
    const expected = referenceMel(values, inputs, false).flat();
    const scorer = createScorer(small, values, engine);
    const logits = scorer.logits(joined(inputs), 2);
    expected.forEach((logit, index) => {
      expect(Math.abs(logits[index]! - logit)).toBeLessThan(1e-4);
    });
    scorer.dispose();
  });

  it('with batch norm folded into the convolutions is the network as it trains, to rounding', () => {
    const values = livedValues(small, 4);
    const weights = Object.fromEntries(
      small.parameters.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape])]),
    );
    const input = tf.tensor2d(decibels(5, 128 * 64), [1, 128 * 64]);
    const plain = tf.tidy(() => small.forward(weights, input).dataSync<'float32'>());
    const scorer = createScorer(small, values, engine);
    const folded = scorer.logits(decibels(5, 128 * 64), 1);
    plain.forEach((logit, index) => {
      expect(Math.abs(logit - folded[index]!)).toBeLessThan(1e-4);
    });
    scorer.dispose();
    tf.dispose([weights, input]);
  });

  it("takes the batch's own statistics while it trains, and keeps a running mean of them", () => {
    const values = livedValues(small, 6);
    const inputs = [decibels(7), decibels(8), decibels(9)];
    const weights = Object.fromEntries(
      small.parameters.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape])]),
    );
    const statistics: Record<string, Float32Array> = {};
    const logits = tf.tidy(() =>
      small
        .forward(weights, tf.tensor2d(joined(inputs), [3, frames * 64]), {
          seed: 1,
          updateStatistic: (name, value) => {
            statistics[name] = value.dataSync<'float32'>();
            value.dispose();
          },
        })
        .dataSync<'float32'>(),
    );
    const expected = referenceMel(values, inputs, true).flat();
    expected.forEach((logit, index) => {
      expect(Math.abs(logits[index]! - logit)).toBeLessThan(1e-3);
    });
    // Bin 5 of the input: 96 values; the variance's estimate is the unbiased one.
    const bin = inputs.flatMap((input) => Array.from({ length: frames }, (_, t) => input[t * 64 + 5]!));
    const mean = bin.reduce((sum, value) => sum + value, 0) / bin.length;
    const variance = bin.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (bin.length - 1);
    expect(statistics['input/mean']![5]).toBeCloseTo(0.9 * values['input/mean']![5]! + 0.1 * mean, 5);
    expect(statistics['input/variance']![5]).toBeCloseTo(
      0.9 * values['input/variance']![5]! + 0.1 * variance,
      5,
    );
    tf.dispose(weights);
  });

  it('has the gradients that differences of the reference show, through the statistics too', () => {
    const values = livedValues(small, 10);
    // In double precision a step can be too small for any ReLU or maximum to switch.
    const exact = Object.fromEntries(
      Object.entries(values).map(([name, data]) => [name, Float64Array.from(data)]),
    );
    const inputs = [decibels(11), decibels(12)];
    const labels = [2, 7];
    const loss = (): number =>
      referenceMel(exact, inputs, true).reduce((sum, logits, index) => {
        const total = logits.reduce((all, logit) => all + Math.exp(logit), 0);
        return sum + Math.log(total) - logits[labels[index]!]!;
      }, 0);
    const variables = Object.fromEntries(
      small.parameters.map(({ name, shape }) => [name, tf.variable(tf.tensor(values[name]!, [...shape]))]),
    );
    const names = [
      'input/scale',
      'conv1/kernel',
      'conv2/shift',
      'conv4/kernel',
      'head/scale',
      'dense/kernel',
    ];
    const { grads } = tf.variableGrads(
      () => {
        const logits = small.forward(variables, tf.tensor2d(joined(inputs), [2, frames * 64]), {
          seed: 1,
          updateStatistic: (_, value) => {
            value.dispose();
          },
        });
        return tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), tf.oneHot(labels, classes))));
      },
      names.map((name) => variables[name]!),
    );
    for (const name of names) {
      const gradient = grads[variables[name]!.name]!.dataSync<'float32'>();
      const index = gradient.reduce(
        (best, value, i) => (Math.abs(value) > Math.abs(gradient[best]!) ? i : best),
        0,
      );
      const before = exact[name]![index]!;
      exact[name]![index] = before + 1e-6;
      const above = loss();
      exact[name]![index] = before - 1e-6;
      const slope = (above - loss()) / 2e-6;
      exact[name]![index] = before;
      expect(Math.abs(gradient[index]! - slope) / Math.abs(slope)).toBeLessThan(1e-4);
    }
    tf.dispose([variables, grads]);
  });

  it('leaves no tensor behind', () => {
    const scorer = createScorer(small, livedValues(small, 2), engine);
    scorer.logits(decibels(1), 1);
    const before = tf.memory().numTensors;
    scorer.logits(decibels(1), 1);
    expect(tf.memory().numTensors).toBe(before);
    scorer.dispose();
  });

  it.each(['mel', 'mel-small'] as const)(
    'agrees between WebAssembly and libtensorflow within 1e-4: %s',
    async (architecture) => {
      const network = createNetwork(melSchema.parse({ architecture }), classes);
      const values = initialWeights(network, 8);
      const run = (): Float32Array => {
        const scorer = createScorer(network, values, engine);
        const logits = scorer.logits(decibels(9, 2 * 128 * 64), 2);
        scorer.dispose();
        return logits;
      };
      const native = run();
      await loadTestEngine('wasm');
      const wasm = run();
      await loadEngine(await chooseTestEngine('cpu'));
      wasm.forEach((logit, index) => {
        expect(Math.abs(logit - native[index]!)).toBeLessThan(1e-4);
      });
    },
  );
});
