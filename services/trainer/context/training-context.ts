import { resolve } from 'node:path';
import { createDecoderPool, maxDecodeThreads } from '../../../shared/decode/pool/decoder-pool';
import { encoderOf, windowFormat, type FrontEnds } from '../../../shared/contracts/members';
import type { EpochMetrics } from '../../../shared/contracts/report';
import type { TrainingRequest } from '../../../shared/contracts/training-request';
import {
  chooseEngine,
  type EngineChoice,
  type EngineTask,
} from '../../../shared/compute/provide/choose-engine';
import {
  loadEngine,
  loadScoringEngine,
  withEncoder,
  type LoadedEngine,
} from '../../../shared/compute/provide/load-engine';
import { isNative } from '../../../shared/compute/kernels/is-native';
import { findOrFetchEncoder } from '../../../shared/compute/provide/provide-encoder';
import { AppError } from '../../../shared/errors/app-error';
import { createStatusLine, type TextStream } from '../../../shared/observability/status-line';
import { flagOf } from '../options/command-line';
import { codeVersion } from '../runs/code-version';
import type { TrainerConfig } from '../options/config';
import { loadDataset, type Dataset } from '../data/dataset';
import type { EvaluationOptions } from '../evaluate/evaluation';
import type { Fence } from '../runs/fence';
import type { FoldSplit } from '../data/folds';
import type { VersionFacts } from '../evaluate/publish-version';
import { configureRecipe } from '../recipes/configure-recipe';
import type { FittedRecipe, Recipe } from '../recipes/recipe';
import { distinctName } from '../recipes/recipes';
import type { RunSettings } from '../runs/run-settings';
import { heardFolds, smallEncoderOf, withSmallEncoder } from './small-encoder';
import { otherSounds } from '../outliers/other-sounds';

/** The project's folder: this file is compiled to dist/services/trainer/context. */
const projectFolder = resolve(__dirname, '..', '..', '..', '..');

export interface CommandContext {
  readonly config: TrainerConfig;
  readonly output: TextStream;
  readonly signal: AbortSignal;
  /** The fence of a job; a run by hand has none. */
  readonly fence?: Fence;
  readonly onEpoch?: (progress: FoldProgress) => void;
}

/** How far the networks of a fold are. */
export interface FoldProgress {
  /** The epochs so far of the network that is trained. */
  readonly history: readonly EpochMetrics[];
  /** The number of epochs of each network. */
  readonly epochs: number;
  /** Networks that are trained already, and all of them. */
  readonly networkIndex: number;
  readonly networks: number;
}

/**
 * What runs are trained with, their folds aside: what was asked for and what it means, the clips and the
 * engine.
 */
export interface TrainingContext extends CommandContext {
  readonly request: TrainingRequest;
  readonly network: RunSettings['network'];
  readonly frontEnds: FrontEnds;
  /** The recipe, with the hyperparameters of these runs. */
  readonly recipe: Recipe;
  readonly dataset: Dataset;
  /** Sounds that are none of the classes, by kind; empty where nothing is to know them. */
  readonly madeSounds: EvaluationOptions['madeSounds'];
  readonly engine: LoadedEngine;
}

/** What heads are fitted with. */
export type FittedTraining = TrainingContext & { readonly recipe: FittedRecipe };

/**
 * Loads the engine and the clips. @throws AppError engine-unavailable, invalid-dataset,
 * invalid-configuration
 */
export async function openTrainingContext(
  request: TrainingRequest,
  context: CommandContext,
): Promise<TrainingContext> {
  const { network, recipe } = configureRecipe(request);
  const small = await smallEncoderOf(request, context.config.modelsFolder);
  const frontEnds = small === undefined ? recipe.frontEnds : withSmallEncoder(recipe.frontEnds, small.sha256);
  const task = { networks: [network], trains: recipe.kind === 'stepped' };
  const engine = await loadTrainingEngine(
    frontEnds,
    context,
    // Else TensorFlow trains.
    isNative(network) ? task : undefined,
  );
  const dataset = await loadClips(request, frontEnds, context);
  const flattered = small === undefined ? [] : heardFolds(small, dataset, request.protocol);
  if (flattered.length > 0) {
    context.output.write(
      `The small encoder has heard the clips of ${flattered.join(' and ')}: figures on them are flattered.\n`,
    );
  }
  const madeSounds =
    recipe.rejection === 'none'
      ? {}
      : await otherSounds(dataset.others, frontEnds, engine, context.config.engineThreads);
  return { ...context, request, network, frontEnds, recipe, dataset, madeSounds, engine };
}

/**
 * @param task what the kernels do alone; undefined: TensorFlow trains, and is fetched first where it is
 * not here
 */
export async function loadTrainingEngine(
  frontEnds: FrontEnds,
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
  const encoderFrontEnd = encoderOf(frontEnds);
  if (encoderFrontEnd !== undefined) {
    const { name } = encoderFrontEnd.encoder;
    if (name === 'mn04_as') line.update('Fetching the encoder');
    const chosen = name === 'small' ? choice : await withLargeEncoder(choice, { config, signal });
    line.close();
    const architecture = name === 'small' ? 'small' : 'encoder';
    return withEncoder(await loadScoringEngine(chosen, { architecture }), frontEnds, config.modelsFolder);
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

/** @throws AppError engine-unavailable where the large encoder cannot be had, with what can be done */
async function withLargeEncoder(
  choice: EngineChoice,
  { config, signal }: Pick<CommandContext, 'config' | 'signal'>,
): Promise<EngineChoice> {
  const { encoder: wish, encoderCacheFolder: cacheFolder } = config;
  const orSmall = `Or learn on the small one, which is in this package: ${flagOf('architecture')} small.`;
  try {
    const encoderFile = await findOrFetchEncoder({ wish, cacheFolder, signal });
    if (encoderFile !== undefined) return { ...choice, encoderFile };
  } catch (caught) {
    const error = AppError.from(caught);
    if (error.code !== 'engine-unavailable') throw error;
    throw new AppError(error.code, `${error.message} ${orSmall}`, { cause: caught, details: error.details });
  }
  throw new AppError('engine-unavailable', `ENCODER=off keeps the large encoder out. ${orSmall}`);
}

/** Reads the clips. @throws AppError invalid-dataset, cancelled */
export async function loadClips(
  request: Pick<TrainingRequest, 'data' | 'csv' | 'esc10Only'>,
  frontEnds: FrontEnds,
  { config, output, signal }: CommandContext,
): Promise<Dataset> {
  const decoder = createDecoderPool({ threads: maxDecodeThreads(config.engineThreads) });
  const line = createStatusLine(output, Date.now);
  try {
    return await loadDataset({
      folder: request.data ?? config.dataFolder,
      csv: request.csv,
      esc10Only: request.esc10Only,
      format: windowFormat({ frontEnds }),
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
  { request, network, recipe }: Pick<TrainingContext, 'request' | 'network' | 'recipe'>,
  { protocol }: Pick<FoldSplit, 'protocol'>,
): RunSettings {
  return {
    network,
    recipe: distinctName(recipe, network.architecture),
    hyperparameters: recipe.hyperparameters,
    protocol,
    seed: request.seed,
  };
}

export function evaluationOptions(training: TrainingContext): EvaluationOptions {
  const { frontEnds, dataset, request, madeSounds, engine, recipe } = training;
  const { choose } = recipe;
  return { frontEnds, classes: dataset.classes, dtype: request.precision, madeSounds, engine, choose };
}

/** What a version says of its making beside its run. */
export async function versionFacts({
  request,
  frontEnds,
  recipe,
  dataset,
}: TrainingContext): Promise<VersionFacts> {
  return {
    createdAt: new Date(),
    classes: dataset.classes,
    frontEnds,
    initialisation: recipe.initialisation,
    data: { clips: dataset.clips.length, fingerprint: dataset.fingerprint },
    code: await codeVersion(projectFolder),
    dtype: request.precision,
  };
}
