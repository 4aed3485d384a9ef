import type { NetworkConfig } from '../../shared/contracts/architecture';
import type { LoadedEngine } from '../../shared/compute/provide/load-engine';
import { createScorer } from '../../shared/compute/inference/scorer';
import { createNetwork } from '../../shared/compute/network/create-network';
import { createUniform } from '../../shared/runtime/random';
import { frameSamples, inputSamples } from '../../shared/compute/network/trunk';
import type { Batch } from '../../services/trainer/data/batches';
import { createLearner } from '../../services/trainer/optimise/learner';
import { freshState } from '../../services/trainer/optimise/network-state';
import { fileNeeds, libtensorflow } from '../support/needs';
import { relativeError } from '../support/native-cnn';
import { loadTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

const cnn: NetworkConfig = { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' };
const transformer: NetworkConfig = { architecture: 'transformer', dropout: 0.1, heads: 4, hidden: 64 };

let native: LoadedEngine;
let reference: LoadedEngine;

beforeAll(async () => {
  native = await loadTestEngine();
  reference = { kind: native.kind, choice: native.choice, description: native.description };
});

/** Tones that a network can tell apart, in noise. */
function toneBatch(size: number, seed: number): Batch {
  const uniform = createUniform(seed);
  const labels = Int32Array.from({ length: size }, (_, clip) => clip % 4);
  const features = Float32Array.from({ length: size * inputSamples }, (_, i) => {
    const tone = Math.sin(i * 0.02 * (1 + (Math.floor(i / inputSamples) % 4)));
    return 0.4 * tone + 0.2 * (uniform() - 0.5);
  });
  return { size, classes: 4, features, labels };
}

describe('the native kernels beside TensorFlow.js', () => {
  it('are there, so that what follows compares two things', () => {
    expect(native.kernels).toBeDefined();
    expect(reference.kernels).toBeUndefined();
  });

  it('answer the windows of a stream alike with and without a cache of frames', () => {
    const network = createNetwork(cnn, 4);
    const { weights } = freshState(network, 4);
    const { features: recorded } = toneBatch(2, 9);
    const [plain, cached] = [0, 32].map((cachedFrames) =>
      createScorer(network, weights, native, { cachedFrames }),
    );
    for (let hop = 0; hop < 3; hop++) {
      const window = recorded.slice(hop * frameSamples, hop * frameSamples + inputSamples);
      expect(cached!.logits(window, 1)).toEqual(plain!.logits(window, 1));
    }
    plain!.dispose();
    cached!.dispose();
  });

  it('keep the parameters that are counted and never run', () => {
    const network = createNetwork(cnn, 4);
    const values = freshState(network, 7);
    const learner = createLearner(network, values, native);
    learner.step(toneBatch(1, 3), 0.001, 1);
    const { weights } = learner.values();
    expect(Object.keys(weights)).toEqual(network.parameters.map(({ name }) => name));
    expect(weights['conv1/scale']).toEqual(values.weights['conv1/scale']);
    expect(weights['conv1/kernel']).not.toEqual(values.weights['conv1/kernel']);
    learner.dispose();
  });
});

describe.each([
  { config: cnn, steps: 15, fallen: 0.7 },
  { config: transformer, steps: 8, fallen: 0.95 },
])(
  'the native $config.architecture beside the same network on TensorFlow.js',
  ({ config, steps, fallen }) => {
    const network = createNetwork(config, 4);

    it.each([1, 3])('answers %i clips with the same logits', (size) => {
      const { weights } = freshState(network, 3);
      const { features } = toneBatch(size, size);
      const [ours, theirs] = [native, reference].map((engine) => {
        const scorer = createScorer(network, weights, engine);
        const logits = scorer.logits(features, size);
        scorer.dispose();
        return logits;
      });
      expect(relativeError(ours!, theirs!)).toBeLessThan(1e-5);
    });

    it('has the gradients of a batch of two slices, the same activations dropped', () => {
      const batch = toneBatch(config.architecture === 'cnn' ? 11 : 9, 1);
      const values = freshState(network, 5);
      const [ours, theirs] = [native, reference].map((engine) => {
        const learner = createLearner(network, values, engine);
        const { loss, correct } = learner.step(batch, 0.001, 77);
        const after = learner.values();
        learner.dispose();
        return { loss, correct, after };
      });
      expect(Math.abs(ours!.loss / theirs!.loss - 1)).toBeLessThan(1e-5);
      expect(ours!.correct).toBe(theirs!.correct);
      expect(ours!.after.step).toBe(1);
      // After one step the first moment is a tenth of the gradient.
      for (const { name } of network.parameters) {
        // A softmax does not see its keys' bias: TensorFlow's gradient of it is rounding, the kernels'
        // is 0.
        if (name.endsWith('key/bias')) continue;
        const [moment, expected] = [ours!.after.firstMoments[name]!, theirs!.after.firstMoments[name]!];
        expect(relativeError(moment, expected)).toBeLessThan(1e-3);
        const [second, expectedSecond] = [
          ours!.after.secondMoments[name]!,
          theirs!.after.secondMoments[name]!,
        ];
        expect(relativeError(second, expectedSecond)).toBeLessThan(1e-3);
      }
    });

    it('follows the same loss curve from one seed', () => {
      const batch = toneBatch(2, 2);
      const [ours, theirs] = [native, reference].map((engine) => {
        const learner = createLearner(network, freshState(network, 6), engine);
        const losses = Array.from({ length: steps }, (_, step) => learner.step(batch, 0.001, step).loss);
        learner.dispose();
        return losses;
      });
      expect(theirs!.at(-1)!).toBeLessThan(fallen * theirs![0]!);
      ours!.forEach((loss, step) => {
        expect(Math.abs(loss - theirs![step]!)).toBeLessThan(0.01 * theirs![0]!);
      });
    });
  },
);
