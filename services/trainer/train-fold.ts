import { join } from 'node:path';
import { AppError } from '../../shared/errors/app-error';
import type { TrainCommand } from './command-line';
import type { FoldSplit } from './folds';
import { openMetricsLog } from './metrics-log';
import { createProgress } from './progress';
import { stepsPerEpoch } from './recipe';
import { runName } from './run-settings';
import { openRunStore, type RunStore } from './run-store';
import { openTensorboard } from './tensorboard';
import { train, type TrainedRun } from './train';
import { settingsOf, type Workshop } from './workshop';

/** One run, from its beginning or from where it was stopped, with its curves and its progress shown. */
export async function trainFold(
  workshop: Workshop,
  split: FoldSplit,
): Promise<{ run: TrainedRun; folder: string }> {
  const { command, frontEnd, hyperparameters, config, output, signal, dataset, engine } = workshop;
  const { fence, onEpoch } = workshop;
  const settings = settingsOf(workshop, split);
  const name = runName(settings, dataset.fingerprint);
  const store = await openRunStore(config.runsFolder, name, fence?.attempt);
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
      cacheFolder: config.spectrogramCacheFolder,
      store: {
        ...store,
        save: async (saved) => {
          await fence?.assertMine();
          await store.save(saved);
        },
      },
      signal,
      onBatch: ({ clipsDone, loss, accuracy }) => {
        progress.batch({ batch: Math.ceil(clipsDone / hyperparameters.batchSize), loss, accuracy });
      },
      onEpoch: async (metrics, { history: soFar }) => {
        await metricsLog.append(metrics);
        await tensorboard.append(metrics);
        progress.epoch(metrics);
        onEpoch?.(metrics, soFar, hyperparameters.epochs);
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
