import { inputLength, inputsPerWindow, windowInputs } from '../shared/audio/window-inputs';
import type { NetworkConfig } from '../shared/contracts/architecture';
import { windowSamples } from '../shared/contracts/front-end';
import { chooseEngine } from '../shared/engine/choose-engine';
import { loadEngine } from '../shared/engine/load-engine';
import { createScorer } from '../shared/engine/scorer';
import { createNetwork } from '../shared/network/create-network';
import { initialWeights } from '../shared/network/initial-weights';
import { createUniform } from '../shared/network/random';
import { createLearner } from '../services/trainer/learner';
import { freshState } from '../services/trainer/network-state';
import { createRecipe } from '../services/trainer/recipe';
import { trainingDefaults } from '../services/trainer/training-defaults';
import { median } from './median';

const classes = 10;
const networks: readonly NetworkConfig[] = [
  { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' },
  { architecture: 'transformer', dropout: 0.1, heads: 4, hidden: 1024 },
  { architecture: 'mel-small', dropout: 0.3 },
  { architecture: 'mel', dropout: 0.3 },
];

/** Milliseconds a clip: the front end, forward passes of 1, 8 and 32 clips on the engine, and a training step of 32. */
export async function benchEngine(): Promise<void> {
  const choice = await chooseEngine({ wish: 'auto', onProgress: () => undefined, onFallback: console.log });
  const { description } = await loadEngine(choice);
  console.log(`Engine: ${description}. Milliseconds a clip, median of 5 (transformer training: of 2).\n`);
  console.log(
    '| | front end | batch 1 | batch 8 | batch 32 | training step, batch 32 | peak memory |\n|---|---|---|---|---|---|---|',
  );
  for (const config of networks) {
    const cells = [frontEndMs(config), ...[1, 8, 32].map((size) => forwardMs(config, size))].map((ms) =>
      ms.toFixed(1),
    );
    const training = choice.kind === 'wasm' ? '–' : trainingMs(config).toFixed(1);
    const peak = `${(process.resourceUsage().maxRSS / 1e6).toFixed(2)} GB`;
    console.log(`| \`${config.architecture}\` | ${cells.join(' | ')} | ${training} | ${peak} |`);
  }
}

function frontEndMs({ architecture }: NetworkConfig): number {
  const { frontEnd } = trainingDefaults[architecture];
  const window = noise(windowSamples(frontEnd));
  const run = (): number => {
    const startedAt = performance.now();
    windowInputs(window, frontEnd);
    return performance.now() - startedAt;
  };
  // The first ones are slow: the compiler is not done with them.
  for (let round = 0; round < 10; round++) run();
  return median(Array.from({ length: 11 }, run));
}

function forwardMs(config: NetworkConfig, size: number): number {
  const { frontEnd } = trainingDefaults[config.architecture];
  const network = createNetwork(config, classes);
  const scorer = createScorer(network, initialWeights(network, 1));
  const inputs = size * inputsPerWindow(frontEnd);
  const features = noise(inputs * inputLength(frontEnd));
  const run = (): number => {
    const startedAt = performance.now();
    scorer.logits(features, inputs);
    return (performance.now() - startedAt) / size;
  };
  run();
  const times = Array.from({ length: 5 }, run);
  scorer.dispose();
  return median(times);
}

function trainingMs(network: NetworkConfig): number {
  const { frontEnd, hyperparameters } = trainingDefaults[network.architecture];
  const clips = Array.from({ length: 32 }, (_, index) => ({
    filename: String(index),
    fold: 1,
    label: index % classes,
    samples: noise(windowSamples(frontEnd)),
  }));
  const protocol = { testFold: null, validationFold: 2, trainFolds: [1] };
  const settings = { network, hyperparameters, protocol, seed: 1 };
  const recipe = createRecipe({ settings, frontEnd, classes, clips });
  const [batch] = recipe.batches(1);
  const built = createNetwork(network, classes);
  const start = freshState(built, 1, hyperparameters.optimizer === 'adamw');
  const learner = createLearner(built, start, hyperparameters);
  const run = (): number => {
    const startedAt = performance.now();
    learner.step(batch!, 0.001, 1);
    return (performance.now() - startedAt) / 32;
  };
  run();
  const times = Array.from({ length: network.architecture === 'transformer' ? 2 : 5 }, run);
  learner.dispose();
  return median(times);
}

function noise(length: number): Float32Array {
  const uniform = createUniform(1);
  return Float32Array.from({ length }, () => uniform() - 0.5);
}
