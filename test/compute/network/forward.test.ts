import * as tf from '@tensorflow/tfjs-core';
import type { NetworkConfig } from '../../../shared/contracts/architecture';
import { initialWeights } from '../../../shared/compute/network/initial-weights';
import { createNetwork } from '../../../shared/compute/network/create-network';
import type { Network, Weights } from '../../../shared/compute/network/network';
import { createUniform } from '../../../shared/runtime/random';
import { inputSamples } from '../../../shared/compute/network/trunk';
import { fileNeeds, libtensorflow } from '../../support/needs';
import { referenceHead, referenceLogits, referenceTrunk } from '../../support/reference-network';
import { chooseTestEngine, loadTestEngine } from '../../support/test-engine';
import { loadEngine } from '../../../shared/compute/provide/load-engine';

fileNeeds(libtensorflow);

const classes = 10;
const cnn: NetworkConfig = { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' };
const transformer = (heads: 1 | 2 | 4): NetworkConfig => ({
  architecture: 'transformer',
  dropout: 0.1,
  heads,
  hidden: 512,
});

function noise(seed: number): Float32Array {
  const uniform = createUniform(seed);
  return Float32Array.from({ length: inputSamples }, () => uniform() * 2 - 1);
}

function tensorsOf(network: Network, values: Record<string, Float32Array>): Record<string, tf.Tensor> {
  return Object.fromEntries(
    network.parameters.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape])]),
  );
}

function logitsOf(network: Network, weights: Weights, inputs: readonly Float32Array[]): number[][] {
  return tf.tidy(() => {
    const batch = tf.stack(inputs.map((input) => tf.tensor1d(input))) as tf.Tensor2D;
    return network.forward(weights, batch).arraySync();
  });
}

beforeAll(async () => {
  await loadTestEngine();
});

describe('a network', () => {
  it.each([cnn, transformer(1), transformer(4)])(
    'gives the logits of a double-precision reference: %j',
    (config) => {
      const network = createNetwork(config, classes);
      const values = initialWeights(network, 11);
      const input = noise(5);
      const weights = tensorsOf(network, values);
      const [logits] = logitsOf(network, weights, [input]);
      const expected = referenceLogits(config, values, input);
      const size = Math.max(...expected.map(Math.abs));
      logits!.forEach((logit, index) => {
        expect(Math.abs(logit - expected[index]!) / size).toBeLessThan(1e-4);
      });
      tf.dispose(weights);
    },
  );

  it.each([
    [cnn, ['conv1/kernel', 'conv2/kernel', 'conv3/bias', 'dense1/kernel', 'dense2/bias']],
    [transformer(4), ['conv2/kernel', 'classToken', 'attention3/norm/scale']],
  ] as const)('has the gradients that differences of the reference show: %j', (config, names) => {
    const network = createNetwork(config, classes);
    const values = initialWeights(network, 3);
    const input = noise(6);
    const label = 4;
    const unchanged = referenceTrunk(values, input);
    const loss = (changed: string): number => {
      const maps = changed.startsWith('conv') ? referenceTrunk(values, input) : unchanged;
      const logits = referenceHead(config, values, maps);
      const highest = Math.max(...logits);
      return (
        Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0)) + highest - logits[label]!
      );
    };
    const variables = Object.fromEntries(
      network.parameters.map(({ name, shape }) => [name, tf.variable(tf.tensor(values[name]!, [...shape]))]),
    );
    const withoutDropout = createNetwork({ ...config, dropout: 0 } as NetworkConfig, classes);
    const { grads } = tf.variableGrads(
      () => {
        const logits = withoutDropout.forward(variables, tf.tensor2d(input, [1, inputSamples]), {
          seed: 1,
          updateStatistic: () => undefined,
        });
        return tf.neg(tf.squeeze(tf.slice(tf.logSoftmax(logits), [0, label], [1, 1])));
      },
      names.map((name) => variables[name]!),
    );
    for (const name of names) {
      const gradient = grads[variables[name]!.name]!.dataSync<'float32'>();
      // The steepest entry: the difference quotient is sharpest there.
      const index = gradient.reduce(
        (best, value, i) => (Math.abs(value) > Math.abs(gradient[best]!) ? i : best),
        0,
      );
      const before = values[name]![index]!;
      const step = Math.max(1e-3 * Math.abs(before), 2e-4);
      values[name]![index] = before + step;
      const [high, above] = [values[name]![index], loss(name)];
      values[name]![index] = before - step;
      const [low, below] = [values[name]![index], loss(name)];
      values[name]![index] = before;
      const slope = (above - below) / (high - low);
      expect(Math.abs(gradient[index]! - slope) / Math.abs(slope)).toBeLessThan(1e-2);
    }
    tf.dispose([variables, grads]);
  });

  it.each([cnn, transformer(4)])(
    'answers each clip of a batch as it answers it alone: $architecture',
    (config) => {
      const network = createNetwork(config, classes);
      const weights = tensorsOf(network, initialWeights(network, 2));
      const inputs = [noise(1), noise(2), noise(3)];
      const together = logitsOf(network, weights, inputs);
      inputs.forEach((input, index) => {
        const [alone] = logitsOf(network, weights, [input]);
        alone!.forEach((logit, k) => {
          expect(Math.abs(logit - together[index]![k]!)).toBeLessThan(1e-5);
        });
      });
      tf.dispose(weights);
    },
  );

  it('leaves no tensor behind', () => {
    const network = createNetwork(transformer(2), classes);
    const weights = tensorsOf(network, initialWeights(network, 2));
    logitsOf(network, weights, [noise(1)]);
    const before = tf.memory().numTensors;
    logitsOf(network, weights, [noise(1)]);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(weights);
  });

  it.each([cnn, transformer(4)])(
    'agrees between WebAssembly and libtensorflow within 1e-4: $architecture',
    async (config) => {
      const network = createNetwork(config, classes);
      const values = initialWeights(network, 8);
      const run = (): number[] => {
        const weights = tensorsOf(network, values);
        const [logits] = logitsOf(network, weights, [noise(9)]);
        tf.dispose(weights);
        return logits!;
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
