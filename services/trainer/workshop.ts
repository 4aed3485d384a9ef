import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { createDecoderPool } from '../../shared/audio/decoder-pool';
import { reportFrontEnd } from '../../shared/contracts/front-end';
import { chooseEngine } from '../../shared/engine/choose-engine';
import { loadEngine, type LoadedEngine } from '../../shared/engine/load-engine';
import { AppError } from '../../shared/errors/app-error';
import { codeVersion } from './code-version';
import type { TrainCommand } from './command-line';
import type { TrainerConfig } from './config';
import { loadDataset, type Dataset } from './dataset';
import { evaluateRun, type RunEvaluation } from './evaluate-run';
import type { FoldSplit } from './folds';
import { openMetricsLog } from './metrics-log';
import { createProgress } from './progress';
import type { VersionFacts } from './publish-version';
import { runName, type RunSettings } from './run-settings';
import { openRunStore, type RunStore } from './run-store';
import { createStatusLine, type TextStream } from '../../shared/observability/status-line';
import { openTensorboard } from './tensorboard';
import { train, type TrainedRun } from './train';

/** The project's folder: this file is compiled to dist/services/trainer. */
const projectFolder = resolve(__dirname, '..', '..', '..');

export interface CommandContext {
  readonly config: TrainerConfig;
  readonly output: TextStream;
  readonly signal: AbortSignal;
}

/** What runs are trained with: the command's options, the clips and the engine. */
export interface Workshop extends CommandContext {
  readonly command: TrainCommand;
  readonly dataset: Dataset;
  readonly engine: LoadedEngine;
}

/** Loads the engine and the clips. @throws AppError engine-unavailable, invalid-dataset */
export async function openWorkshop(command: TrainCommand, context: CommandContext): Promise<Workshop> {
  const engine = await loadTrainingEngine(context);
  const dataset = await loadClips(command, context);
  return { ...context, command, dataset, engine };
}

async function loadTrainingEngine({ config, output }: CommandContext): Promise<LoadedEngine> {
  const line = createStatusLine(output, Date.now);
  const choice = await chooseEngine({
    wish: config.engine,
    kernels: config.engineKernels,
    threads: config.engineThreads,
    onProgress: (text) => {
      line.update(text);
    },
    onFallback: (reason) => {
      line.print(reason);
    },
  });
  line.close();
  if (choice.kind === 'wasm') {
    throw new AppError(
      'engine-unavailable',
      'Training needs libtensorflow; the WebAssembly engine only infers. Install python3 with pip, and g++, then ' +
        'run this command again.',
    );
  }
  return loadEngine(choice);
}

async function loadClips(
  command: TrainCommand,
  { config, output, signal }: CommandContext,
): Promise<Dataset> {
  const decoder = createDecoderPool({ threads: availableParallelism() });
  const line = createStatusLine(output, Date.now);
  try {
    return await loadDataset({
      folder: command.data ?? config.dataFolder,
      csv: command.csv,
      esc10Only: command['esc10-only'],
      frontEnd: reportFrontEnd,
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

/** A finished run, judged. */
export interface FoldRun {
  readonly run: TrainedRun;
  readonly evaluation: RunEvaluation;
  readonly folder: string;
}

/** Trains the command's network on one split of the folds, from where an earlier run of the same settings stopped. */
export async function trainFold(
  { command, config, output, signal, dataset, engine }: Workshop,
  network: RunSettings['network'],
  split: FoldSplit,
): Promise<FoldRun> {
  const settings = settingsOf(command, network, split);
  const store = await openRunStore(config.runsFolder, runName(settings, dataset.fingerprint));
  await prepareStore(store, command);
  const history = (await store.load())?.progress.history ?? [];
  const metricsLog = await openMetricsLog(join(store.folder, 'metrics.jsonl'), history);
  const tensorboard = await openTensorboard(join(store.folder, 'tensorboard'), history);
  const progress = createProgress({
    stream: output,
    epochs: command.epochs,
    epochsDone: history.length,
    batchesPerEpoch: Math.ceil(split.train.length / command['batch-size']),
  });
  try {
    const run = await train({
      settings,
      frontEnd: reportFrontEnd,
      classes: dataset.classes,
      split,
      dataFingerprint: dataset.fingerprint,
      engine,
      store,
      signal,
      onBatch: ({ clipsDone, loss, accuracy }) => {
        progress.batch({ batch: Math.ceil(clipsDone / command['batch-size']), loss, accuracy });
      },
      onEpoch: async (metrics) => {
        await metricsLog.append(metrics);
        await tensorboard.append(metrics);
        progress.epoch(metrics);
      },
    });
    const evaluation = evaluateRun(run, split, reportFrontEnd, dataset.classes, command.precision, engine);
    return { run, evaluation, folder: store.folder };
  } finally {
    progress.close();
    await metricsLog.close();
    await tensorboard.close();
  }
}

/** What an earlier run with the same settings left is continued or forgotten only when it is said which. */
async function prepareStore(store: RunStore, { resume, fresh, epochs }: TrainCommand): Promise<void> {
  if (fresh) {
    await store.clear();
    return;
  }
  const earlier = await store.load();
  if (earlier === undefined || resume) return;
  const done = earlier.progress.history.length;
  throw new AppError(
    'invalid-configuration',
    `This run exists and has ${done} of ${epochs} epochs: --resume continues it, --fresh starts it anew.`,
  );
}

/** All that decides what the run computes, the data and the engine aside. */
export function settingsOf(
  command: TrainCommand,
  network: RunSettings['network'],
  { protocol }: Pick<FoldSplit, 'protocol'>,
): RunSettings {
  return {
    network,
    hyperparameters: {
      optimizer: 'adam',
      learningRate: command['learning-rate'],
      batchSize: command['batch-size'],
      epochs: command.epochs,
    },
    protocol: protocol,
    seed: command.seed,
  };
}

/** What a version says of its making beside its run. */
export async function versionFacts({ command, dataset }: Workshop): Promise<VersionFacts> {
  return {
    createdAt: new Date(),
    classes: dataset.classes,
    frontEnd: reportFrontEnd,
    data: { clips: dataset.clips.length, fingerprint: dataset.fingerprint },
    code: await codeVersion(projectFolder),
    dtype: command.precision,
  };
}
