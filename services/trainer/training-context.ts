import { resolve } from 'node:path';
import { createDecoderPool, mostDecodeThreads } from '../../shared/decode/pool/decoder-pool';
import type { FrontEnd, View } from '../../shared/contracts/front-end';
import type { TrainingHyperparameters } from '../../shared/contracts/manifest';
import type { EpochMetrics } from '../../shared/contracts/report';
import { chooseEngine, type EngineTask } from '../../shared/compute/provide/choose-engine';
import {
  loadEngine,
  loadScoringEngine,
  withEncoder,
  type LoadedEngine,
} from '../../shared/compute/provide/load-engine';
import { fetchEncoder, findEncoder } from '../../shared/compute/provide/provide-encoder';
import { AppError } from '../../shared/errors/app-error';
import { createStatusLine, type TextStream } from '../../shared/observability/status-line';
import { codeVersion } from './runs/code-version';
import { networkOf, trainingOf, type TrainCommand } from './command-line';
import type { TrainerConfig } from './config';
import { isTrainedNatively } from './optimise/learner';
import { loadDataset, type Dataset } from './data/dataset';
import type { EvaluationOptions } from './evaluate/evaluate-run';
import type { Fence } from './runs/fence';
import type { FoldSplit } from './data/folds';
import type { VersionFacts } from './evaluate/publish-version';
import { publishesTogether } from './recipes/recipe';
import type { RunSettings } from './runs/run-settings';
import { otherSounds } from './outliers/other-sounds';
import type { FamiliarityOptions } from './outliers/with-familiarity';

/** The project's folder: this file is compiled to dist/services/trainer. */
const projectFolder = resolve(__dirname, '..', '..', '..');

export interface CommandContext {
  readonly config: TrainerConfig;
  readonly output: TextStream;
  readonly signal: AbortSignal;
  /** Of a job; a run by hand has none. */
  readonly fence?: Fence;
  readonly onEpoch?: (progress: FoldProgress) => void;
}

/** How far the networks of a fold are. */
export interface FoldProgress {
  /** Of the network that is trained, its epochs so far. */
  readonly history: readonly EpochMetrics[];
  /** Of each network. */
  readonly epochs: number;
  /** Networks that are trained already, and all of them. */
  readonly turn: number;
  readonly networks: number;
}

/** What runs are trained with, their folds aside: the command's options and what they mean, the clips and the engine. */
export interface TrainingContext extends CommandContext {
  readonly command: TrainCommand;
  readonly network: RunSettings['network'];
  readonly frontEnd: FrontEnd;
  readonly hyperparameters: TrainingHyperparameters;
  readonly dataset: Dataset;
  /** Sounds that are none of the classes, by kind; empty where nothing is to know them. */
  readonly madeSounds: EvaluationOptions['madeSounds'];
  readonly engine: LoadedEngine;
}

/** Loads the engine and the clips. @throws AppError engine-unavailable, invalid-dataset, invalid-configuration */
export async function openTrainingContext(
  command: TrainCommand,
  context: CommandContext,
): Promise<TrainingContext> {
  const network = networkOf(command);
  const { frontEnd, hyperparameters } = trainingOf(command);
  const task = { networks: [network], trains: hyperparameters.optimizer !== 'lbfgs' };
  const alone =
    hyperparameters.optimizer === 'lbfgs' || isTrainedNatively(network, hyperparameters.optimizer);
  const engine = await loadTrainingEngine(frontEnd, context, alone ? task : undefined);
  const dataset = await loadClips(command, frontEnd, context);
  const madeSounds = publishesTogether(hyperparameters)
    ? await otherSounds(dataset.others, frontEnd, engine, context.config.engineThreads)
    : {};
  return { ...context, command, network, frontEnd, hyperparameters, dataset, madeSounds, engine };
}

/** @param task what the kernels do alone; undefined: TensorFlow trains, and is fetched first where it is not here */
async function loadTrainingEngine(
  frontEnd: FrontEnd,
  { config, output, signal }: CommandContext,
  task: EngineTask | undefined,
): Promise<LoadedEngine> {
  const line = createStatusLine(output, Date.now);
  const passedOver: string[] = [];
  const choice = await chooseEngine({
    wish: config.engine,
    ...(task === undefined ? {} : { task }),
    kernels: config.engineKernels,
    threads: config.engineThreads,
    signal,
    onProgress: (text) => {
      line.update(text);
    },
    onFallback: (reason) => {
      passedOver.push(reason);
      line.print(reason);
    },
  });
  if (frontEnd.kind === 'encoder') {
    line.update('Fetching the encoder');
    const { encoder, encoderCacheFolder: cacheFolder } = config;
    const found = await findEncoder(encoder, cacheFolder);
    const encoderFile = found ?? (await fetchEncoder({ wish: encoder, cacheFolder, signal }));
    line.close();
    const here = encoderFile === undefined ? choice : { ...choice, encoderFile };
    return withEncoder(await loadScoringEngine(here, { architecture: 'encoder' }), frontEnd);
  }
  line.close();
  if (choice.kind === 'wasm') {
    throw new AppError(
      'engine-unavailable',
      [
        'Training needs libtensorflow; the WebAssembly engine only infers.',
        ...passedOver,
        'Install python3 with pip, and g++, let ENGINE be auto or cpu, then run this command again.',
      ].join(' '),
    );
  }
  return task === undefined ? loadEngine(choice) : loadScoringEngine(choice, task.networks[0]!);
}

async function loadClips(
  command: TrainCommand,
  frontEnd: FrontEnd,
  { config, output, signal }: CommandContext,
): Promise<Dataset> {
  const decoder = createDecoderPool({ threads: mostDecodeThreads(config.engineThreads) });
  const line = createStatusLine(output, Date.now);
  try {
    return await loadDataset({
      folder: command.data ?? config.dataFolder,
      csv: command.csv,
      esc10Only: command['esc10-only'],
      frontEnd,
      decoder,
      cacheFolder: config.clipCacheFolder,
      onProgress: ({ done, total }) => {
        line.update(`Reading clips: ${done} of ${total}`);
      },
      signal,
    });
  } finally {
    line.close();
    await decoder.close();
  }
}

/** All that decides what a run computes, the data and the engine aside. */
export function settingsOf(
  { command, network, hyperparameters }: Pick<TrainingContext, 'command' | 'network' | 'hyperparameters'>,
  { protocol }: Pick<FoldSplit, 'protocol'>,
  view: View,
): RunSettings {
  const settings = { network, hyperparameters, protocol, seed: command.seed };
  return view.kind === 'log-mel' ? { ...settings, view } : settings;
}

export function evaluationOptions(training: TrainingContext): EvaluationOptions {
  const { frontEnd, dataset, command, madeSounds, engine } = training;
  return { frontEnd, classes: dataset.classes, dtype: command.precision, madeSounds, engine };
}

export function familiarityOptions(training: TrainingContext, view: View): FamiliarityOptions {
  const { dataset, engine, config } = training;
  return { view, classes: dataset.classes, engine, cacheFolder: config.spectrogramCacheFolder };
}

/** What a version says of its making beside its run. */
export async function versionFacts({ command, frontEnd, dataset }: TrainingContext): Promise<VersionFacts> {
  return {
    createdAt: new Date(),
    classes: dataset.classes,
    frontEnd,
    data: { clips: dataset.clips.length, fingerprint: dataset.fingerprint },
    code: await codeVersion(projectFolder),
    dtype: command.precision,
  };
}
