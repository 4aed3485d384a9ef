import * as tf from '@tensorflow/tfjs-core';
import type { NetworkConfig } from '../shared/contracts/architecture';
import { reportFrontEnd } from '../shared/contracts/front-end';
import { chooseEngine } from '../shared/engine/choose-engine';
import { loadEngine } from '../shared/engine/load-engine';
import { createNetwork } from '../shared/network/create-network';
import { createUniform } from '../shared/network/random';
import { inputSamples } from '../shared/network/trunk';
import { batchesOf } from '../services/trainer/batches';
import { createState, freshState } from '../services/trainer/network-state';
import { trainStep } from '../services/trainer/train-step';
import { median } from './median';

const classes = 10;
const networks: readonly NetworkConfig[] = [
  { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' },
  { architecture: 'transformer', dropout: 0.1, heads: 4, hidden: 1024 },
];

/** Milliseconds a clip on the engine: forward passes of 1, 8 and 32 clips, and a training step of 32. */
export async function benchEngine(): Promise<void> {
  const choice = await chooseEngine({ wish: 'auto', onProgress: () => undefined, onFallback: console.log });
  const { description } = await loadEngine(choice);
  console.log(`Engine: ${description}. Milliseconds a clip, median of 5 (transformer training: of 2).\n`);
  console.log(
    '| | batch 1 | batch 8 | batch 32 | training step, batch 32 | peak memory |\n|---|---|---|---|---|---|',
  );
  for (const config of networks) {
    const cells = [1, 8, 32].map((size) => forwardMs(config, size).toFixed(1));
    const training = choice.kind === 'wasm' ? '–' : trainingMs(config).toFixed(1);
    const peak = `${(process.resourceUsage().maxRSS / 1e6).toFixed(2)} GB`;
    console.log(`| \`${config.architecture}\` | ${cells.join(' | ')} | ${training} | ${peak} |`);
  }
}

function forwardMs(config: NetworkConfig, size: number): number {
  const network = createNetwork(config, classes);
  const state = createState(network, freshState(network, 1));
  const input = tf.tensor2d(noise(size * inputSamples), [size, inputSamples]);
  const run = (): number => {
    const startedAt = performance.now();
    tf.tidy(() => network.forward(state.weights, input).dataSync());
    return (performance.now() - startedAt) / size;
  };
  run();
  const times = Array.from({ length: 5 }, run);
  input.dispose();
  state.dispose();
  return median(times);
}

function trainingMs(config: NetworkConfig): number {
  const network = createNetwork(config, classes);
  const state = createState(network, freshState(network, 1));
  const clips = Array.from({ length: 32 }, (_, index) => ({
    filename: String(index),
    fold: 1,
    label: index % classes,
    samples: noise(80_000),
  }));
  const [batch] = batchesOf(clips, { frontEnd: reportFrontEnd, classes, batchSize: 32 });
  const run = (): number => {
    const startedAt = performance.now();
    trainStep(network, state, batch!, 0.001, 1);
    return (performance.now() - startedAt) / 32;
  };
  run();
  const times = Array.from({ length: config.architecture === 'cnn' ? 5 : 2 }, run);
  state.dispose();
  return median(times);
}

function noise(length: number): Float32Array {
  const uniform = createUniform(1);
  return Float32Array.from({ length }, () => uniform() - 0.5);
}
