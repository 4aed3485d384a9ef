import * as tf from '@tensorflow/tfjs-core';
import { reportFrontEnd } from '../shared/contracts/front-end';
import type { NetworkConfig } from '../shared/contracts/architecture';
import { chooseEngine, type KernelsWish } from '../shared/engine/choose-engine';
import { describeEngine, loadEngine, type LoadedEngine } from '../shared/engine/load-engine';
import { createScorer } from '../shared/engine/scorer';
import { createNetwork } from '../shared/network/create-network';
import { createUniform } from '../shared/network/random';
import { frameSamples, inputSamples } from '../shared/network/trunk';
import { batchesOf } from '../services/trainer/batches';
import { createLearner } from '../services/trainer/learner';
import { freshState } from '../services/trainer/network-state';

/** One row of the engine's table: a network on one implementation, in a process of its own for its memory's sake. */
export interface EngineRow {
  readonly engine: string;
  /** Milliseconds a clip. */
  readonly forwardMs: readonly number[];
  /** A window that shares 8 of 9 frames with the one before it, as a stream's next one does. */
  readonly hopMs: number;
  readonly trainingMs: number | undefined;
  /** What a training step takes above the weights, their moments and the batch. */
  readonly trainingMegabytes: number | undefined;
  /** Of a 2048³ product on TensorFlow: what the machine's matrix units give at this moment. */
  readonly matmulGflops: number | undefined;
}

export const batchSizes = [1, 8, 32] as const;
const classes = 10;
const trainingBatch = 32;

async function main(config: NetworkConfig, kernels: KernelsWish): Promise<void> {
  const choice = await chooseEngine({
    wish: 'auto',
    kernels,
    onProgress: () => undefined,
    onFallback: console.error,
  });
  const engine = await loadEngine(choice);
  const trains = choice.kind !== 'wasm' || describeEngine(engine, config).includes('native');
  // First, while the process's memory is still what the engine itself takes.
  const training = trains ? measureTraining(config, engine) : undefined;
  const forward = batchSizes.map((size) => forwardMs(config, engine, size));
  const row: EngineRow = {
    engine: describeEngine(engine, config),
    forwardMs: forward,
    hopMs: hopMs(config, engine),
    trainingMs: training?.ms,
    trainingMegabytes: training?.megabytes,
    matmulGflops: choice.kind === 'wasm' ? undefined : matmulGflops(),
  };
  process.send!(row);
}

/** The fastest of at least three runs, of as many as a second holds: what other processes do only ever adds. */
function timed(run: () => void): number {
  run();
  let fastest = Infinity;
  const startedAt = performance.now();
  for (let runs = 0; runs < 3 || performance.now() - startedAt < 1000; runs++) {
    const before = performance.now();
    run();
    fastest = Math.min(fastest, performance.now() - before);
  }
  return fastest;
}

function forwardMs(config: NetworkConfig, engine: LoadedEngine, size: number): number {
  const network = createNetwork(config, classes);
  const scorer = createScorer(network, freshState(network, 1).weights, engine);
  const features = noise(size * inputSamples);
  const ms = timed(() => scorer.logits(features, size)) / size;
  scorer.dispose();
  return ms;
}

function hopMs(config: NetworkConfig, engine: LoadedEngine): number {
  const network = createNetwork(config, classes);
  const { weights } = freshState(network, 1);
  const scorer = createScorer(network, weights, engine, { cachedFrames: 64 });
  const window = noise(inputSamples);
  let hop = 0;
  const ms = timed(() => {
    window.copyWithin(0, frameSamples);
    // A new frame, which was never seen before.
    window.fill(++hop / 1e4, inputSamples - 1);
    scorer.logits(window, 1);
  });
  scorer.dispose();
  return ms;
}

function measureTraining(config: NetworkConfig, engine: LoadedEngine): { ms: number; megabytes: number } {
  const network = createNetwork(config, classes);
  const clips = Array.from({ length: trainingBatch }, (_, index) => ({
    filename: String(index),
    fold: 1,
    label: index % classes,
    samples: noise(80_000),
  }));
  const [batch] = batchesOf(clips, { frontEnd: reportFrontEnd, classes, batchSize: trainingBatch });
  const learner = createLearner(network, freshState(network, 1), engine);
  const before = process.memoryUsage.rss();
  let step = 0;
  const ms = timed(() => learner.step(batch!, 0.001, step++)) / trainingBatch;
  const megabytes = (process.resourceUsage().maxRSS * 1024 - before) / 1e6;
  learner.dispose();
  return { ms, megabytes };
}

function matmulGflops(): number {
  const side = 2048;
  const [a, b] = [tf.randomUniform([side, side]), tf.randomUniform([side, side])];
  const ms = timed(() => {
    tf.tidy(() => tf.slice(tf.matMul(a, b), [0, 0], [1, 1]).dataSync());
  });
  return (2 * side ** 3) / ms / 1e6;
}

function noise(length: number): Float32Array {
  const uniform = createUniform(1);
  return Float32Array.from({ length }, () => uniform() - 0.5);
}

if (require.main === module) {
  const { config, kernels } = JSON.parse(process.argv[2]!) as { config: NetworkConfig; kernels: KernelsWish };
  main(config, kernels).catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
