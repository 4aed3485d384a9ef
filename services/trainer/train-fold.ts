import { join } from 'node:path';
import type { FrontEnd } from '../../shared/contracts/front-end';
import type { Hyperparameters } from '../../shared/contracts/manifest';
import { AppError } from '../../shared/errors/app-error';
import type { TrainCommand } from './command-line';
import type { TrainerConfig } from './config';
import type { Dataset } from './dataset';
import type { FoldSplit } from './folds';
import { openMetricsLog } from './metrics-log';
import type { Example } from './predict';
import { createProgress } from './progress';
import { stepsPerEpoch } from './recipe';
import { runName, type RunSettings } from './run-settings';
import { openRunStore, type RunStore } from './run-store';
import type { TextStream } from './status-line';
import { openTensorboard } from './tensorboard';
import { train, type TrainedRun } from './train';

export interface CommandContext {
  readonly config: TrainerConfig;
  readonly output: TextStream;
  readonly signal: AbortSignal;
}

/** All that a run needs beside its folds. */
export interface Workshop extends CommandContext {
  readonly command: TrainCommand;
  readonly network: RunSettings['network'];
  readonly frontEnd: FrontEnd;
  readonly hyperparameters: Hyperparameters;
  readonly dataset: Dataset;
  /** Sounds that are none of the classes, by kind; empty where nothing is to know them. */
  readonly madeSounds: Readonly<Record<string, readonly Example[]>>;
  readonly engine: string;
}

/** One run, from its beginning or from where it was stopped, with its curves and its progress shown. */
export async function trainFold(
  workshop: Workshop,
  split: FoldSplit,
): Promise<{ run: TrainedRun; folder: string }> {
  const { command, frontEnd, hyperparameters, config, output, signal, dataset, engine } = workshop;
  const settings: RunSettings = {
    network: workshop.network,
    hyperparameters,
    protocol: split.protocol,
    seed: command.seed,
  };
  const store = await openRunStore(config.runsFolder, runName(settings, dataset.fingerprint));
  await prepareStore(store, command, hyperparameters.epochs);
  const history = (await store.load())?.progress.history ?? [];
  const metricsLog = await openMetricsLog(join(store.folder, 'metrics.jsonl'), history);
  const tensorboard = await openTensorboard(join(store.folder, 'tensorboard'), history);
  const progress = createProgress({
    stream: output,
    epochs: hyperparameters.epochs,
    epochsDone: history.length,
    batchesPerEpoch: stepsPerEpoch(hyperparameters, split.train.length),
  });
  try {
    const run = await train({
      settings,
      frontEnd,
      classes: dataset.classes,
      split,
      dataFingerprint: dataset.fingerprint,
      engine,
      store,
      signal,
      onBatch: ({ clipsDone, loss, accuracy }) => {
        progress.batch({ batch: Math.ceil(clipsDone / hyperparameters.batchSize), loss, accuracy });
      },
      onEpoch: async (metrics) => {
        await metricsLog.append(metrics);
        await tensorboard.append(metrics);
        progress.epoch(metrics);
      },
    });
    return { run, folder: store.folder };
  } finally {
    progress.close();
    await metricsLog.close();
    await tensorboard.close();
  }
}

/** What an earlier run with the same settings left is continued or forgotten only when it is said which. */
async function prepareStore(store: RunStore, { resume, fresh }: TrainCommand, epochs: number): Promise<void> {
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
