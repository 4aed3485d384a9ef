import * as tf from '@tensorflow/tfjs-core';
import { inputLength } from '../shared/front-end/window-inputs';
import type { NetworkConfig } from '../shared/contracts/architecture';
import { encoderFrontEnd, windowSamples, type FrontEnd } from '../shared/contracts/front-end';
import { encoderOf, windowFormat, type Composition } from '../shared/contracts/members';
import { chooseEngine } from '../shared/compute/provide/choose-engine';
import type { KernelsWish } from '../shared/environment';
import {
  describeEngine,
  loadEngine,
  withEncoder,
  type LoadedEngine,
} from '../shared/compute/provide/load-engine';
import { loadKernels } from '../shared/compute/kernels/kernels-addon';
import { withEncoderFile } from './with-encoder-file';
import { encoderNetworks } from '../shared/compute/network/encoder-networks';
import { encoderBands } from '../shared/encoder/mobile-net';
import { encoderHopSamples, kaldiFrames } from '../shared/front-end/kaldi-mel';
import { createScorer } from '../shared/compute/inference/scorer';
import { createFrontEndInputs } from '../shared/compute/inference/front-end-inputs';
import { createWindowScorer } from '../shared/compute/inference/window-scorer';
import { createNetwork } from '../shared/compute/network/create-network';
import { memberForms, type Member } from '../shared/compute/network/members';
import { initialWeights } from '../shared/compute/network/initial-weights';
import type { Network } from '../shared/compute/network/network';
import { createUniform } from '../shared/runtime/random';
import { frameSamples, inputSamples } from '../shared/compute/network/trunk';
import { decodeWeights, encodeWeights, type WeightValues } from '../shared/registry/weights-file';
import { createLearner } from '../services/trainer/optimise/learner';
import { freshState } from '../services/trainer/optimise/network-state';
import type { SteppedRecipe } from '../services/trainer/recipes/recipe';
import { recipeFor } from '../services/trainer/recipes/recipes';

/**
 * One row of the engine's table: a network on one implementation. A process measures one row, for its
 * memory.
 */
export interface EngineRow {
  readonly engine: string;
  /** Milliseconds a clip, as the other times. */
  readonly frontEndMs: number | undefined;
  /** Of heads with their encoder and its front end. */
  readonly forwardMs: readonly number[];
  /**
   * Of the pretrained encoder's network without its front end, by batch size; undefined for other
   * networks and implementations.
   */
  readonly encoderMs: readonly number[] | undefined;
  /**
   * For a window that begins a second after the one before it, as in a stream; undefined where nothing
   * is kept of that one.
   */
  readonly hopMs: number | undefined;
  readonly trainingMs: number | undefined;
  /** Memory of a training step beside the weights, their moments and the batch. */
  readonly trainingMegabytes: number | undefined;
  /** Speed of a 2048³ matrix product on TensorFlow, to compare machines and loads. */
  readonly matmulGflops: number | undefined;
}

export const batchSizes = [1, 8, 32] as const;
const classes = 10;
const trainingBatch = 32;

/** The subject of a row: members of one network, of which several are not trained together. */
export interface RowSubject extends Composition {
  readonly kernels: KernelsWish;
}

async function main({ kernels, ...served }: RowSubject): Promise<void> {
  const chosen = await chooseEngine({
    wish: 'auto',
    kernels,
    onProgress: () => undefined,
    onFallback: console.error,
  });
  const { frontEnds, members } = served;
  const config = members[0]!.network;
  const choice = await withEncoderFile(chosen, config);
  const engine = await withEncoder(await loadEngine(choice), frontEnds, 'models');
  const computes = choice.kind !== 'wasm' || describeEngine(engine, config).includes('native');
  // Training is measured first, while the process holds only the memory of the engine.
  const recipe = recipeFor(config.architecture);
  const trains = recipe.kind === 'stepped' && computes && members.length === 1;
  const training = trains ? measureTraining(config, recipe, engine) : undefined;
  const forward = batchSizes.map((size) => forwardMs(served, engine, size));
  const encoderMs = batchSizes.flatMap((size) => encoderNetworkMs(engine, size) ?? []);
  const row: EngineRow = {
    engine: describeEngine(engine, config),
    // The encoder's is not computed apart: what is left of the whole.
    frontEndMs:
      encoderOf(frontEnds) === undefined
        ? frontEnds.reduce((sum, frontEnd) => sum + frontEndMs(frontEnd, engine), 0)
        : encoderMs[0] && forward[0]! - encoderMs[0],
    forwardMs: forward,
    encoderMs: encoderMs.length === 0 ? undefined : encoderMs,
    hopMs: hopMs(config, engine) ?? encoderHopMs(served, engine),
    trainingMs: training?.ms,
    trainingMegabytes: training?.megabytes,
    matmulGflops: choice.kind === 'wasm' ? undefined : matmulGflops(),
  };
  process.send!(row);
}

/**
 * Milliseconds of the fastest run, of at least three and of as many as fit into a second. The fastest is
 * taken because other processes can only make a run slower.
 * @param prepare called before each run, and not timed
 */
function timed(run: () => void, prepare: () => void = () => undefined): number {
  run();
  let fastest = Infinity;
  const startedAt = performance.now();
  for (let runs = 0; runs < 3 || performance.now() - startedAt < 1000; runs++) {
    prepare();
    const before = performance.now();
    run();
    fastest = Math.min(fastest, performance.now() - before);
  }
  return fastest;
}

/** Milliseconds from the waveform to the network's inputs. */
function frontEndMs(frontEnd: FrontEnd, engine: LoadedEngine): number {
  const window = noise(windowSamples(frontEnd));
  const inputs = createFrontEndInputs(frontEnd, engine);
  const ms = timed(() => inputs.begin([window])());
  inputs.dispose();
  return ms;
}

/** Times the encoder's network on pictures of noise. */
function encoderNetworkMs({ kernels, encoderWeights }: LoadedEngine, size: number): number | undefined {
  if (kernels?.computes !== 'networks' || encoderWeights === undefined) return undefined;
  const { path, instructionSet, threads } = kernels;
  const { native: network, parameters } = encoderNetworks[encoderWeights.name];
  const encoder = loadKernels(path).createAudioEncoder({ instructionSet, threads, network });
  encoder.setWeights(parameters.map(({ name }) => encoderWeights.values[name]!));
  const frames = kaldiFrames(windowSamples(encoderFrontEnd));
  const pictures = Array.from({ length: size }, () => noise(encoderBands * frames));
  const ms = timed(() => encoder.encodePictures(pictures)) / size;
  encoder.dispose();
  return ms;
}

/** Weights of a new network, rounded as in a version's file. */
function publishedWeights(network: Network): WeightValues {
  const { manifest, bytes } = encodeWeights(network, initialWeights(network, 1), 'float16');
  return decodeWeights(network, manifest, bytes);
}

function publishedMembers(served: Composition): Member[] {
  return memberForms(served, classes).map((form) => ({ ...form, values: publishedWeights(form.network) }));
}

function forwardMs(served: Composition, engine: LoadedEngine, size: number): number {
  const members = publishedMembers(served);
  const { frontEnd, network, values } = members[0]!;
  if (frontEnd.kind !== 'frames') {
    const scorer = createWindowScorer(members, engine);
    const length = windowSamples(windowFormat(served));
    const windows = Array.from({ length: size }, () => noise(length));
    // Other samples in every run: the kernels know a window again that they heard shortly before.
    const sound = noise(length + encoderHopSamples);
    let run = 0;
    const prepare = (): void => {
      const start = run++ % encoderHopSamples;
      for (const window of windows) window.set(sound.subarray(start, start + length));
    };
    const ms = timed(() => scorer.logits(windows), prepare) / size;
    scorer.dispose();
    return ms;
  }
  const scorer = createScorer(network, values, engine);
  const features = noise(size * inputLength(frontEnd));
  const ms = timed(() => scorer.logits(features, size)) / size;
  scorer.dispose();
  return ms;
}

/** Milliseconds for a stream's next window; undefined for networks without a frame cache. */
function hopMs(config: NetworkConfig, engine: LoadedEngine): number | undefined {
  if (config.architecture !== 'cnn') return undefined;
  const network = createNetwork(config, classes);
  const scorer = createScorer(network, publishedWeights(network), engine, { cachedFrames: 64 });
  const window = noise(inputSamples);
  const sound = noise(2 * inputSamples);
  let hop = 0;
  const ms = timed(() => {
    window.copyWithin(0, frameSamples);
    // A frame that was not used recently, so that it is not in the cache.
    const at = (hop++ * 100) % (sound.length - frameSamples);
    window.set(sound.subarray(at, at + frameSamples), inputSamples - frameSamples);
    scorer.logits(window, 1);
  });
  scorer.dispose();
  return ms;
}

/**
 * Milliseconds for the window of a stream that begins a second after the one before it; undefined where
 * nothing is kept of that one.
 */
function encoderHopMs(served: Composition, engine: LoadedEngine): number | undefined {
  if (engine.kernels === undefined || engine.encoderWeights === undefined) return undefined;
  const length = windowSamples(encoderFrontEnd);
  // More windows than the kernels keep, so that those from the beginning are forgotten at the end.
  const hops = 100;
  const sound = noise(length + hops * encoderFrontEnd.sampleRate);
  const scorer = createWindowScorer(publishedMembers(served), engine);
  let hop = 0;
  const ms = timed(() => {
    const start = (hop++ % hops) * encoderFrontEnd.sampleRate;
    scorer.logits([sound.subarray(start, start + length)]);
  });
  scorer.dispose();
  return ms;
}

function measureTraining(
  config: NetworkConfig,
  recipe: SteppedRecipe,
  engine: LoadedEngine,
): { ms: number; megabytes: number } {
  const [frontEnd] = recipe.frontEnds;
  const network = createNetwork(config, classes);
  const clips = Array.from({ length: trainingBatch }, (_, index) => ({
    filename: String(index),
    fold: 1,
    source: 'one',
    label: index % classes,
    samples: noise(windowSamples(frontEnd)),
  }));
  const { hyperparameters } = recipe;
  const [batch] = recipe.plan({ hyperparameters, seed: 1, frontEnd, classes, clips }).batches(1);
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
  main(JSON.parse(process.argv[2]!) as RowSubject).catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
