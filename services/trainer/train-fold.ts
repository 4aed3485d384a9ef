import { join } from 'node:path';
import { viewsOf, type View } from '../../shared/contracts/front-end';
import type { TrainingRequest } from '../../shared/contracts/training-request';
import { AppError } from '../../shared/errors/app-error';
import type { FoldSplit } from './data/folds';
import { flagOf } from './options/command-line';
import { openMetricsLog } from './runs/metrics-log';
import { createProgress } from './runs/progress';
import { planOf } from './recipes/recipe';
import { runName } from './runs/run-settings';
import { openRunStore, type RunStore } from './runs/run-store';
import { openTensorboard } from './runs/tensorboard';
import { train, type TrainedRun } from './optimise/train';
import { trainHead } from './heads/train-head';
import { withFamiliarity } from './outliers/with-familiarity';
import { settingsOf, type TrainingContext } from './training-context';

/**
 * A run for each view of the front end, one after the other, each from its beginning or from where it was stopped: networks that
 * answer together.
 * @throws AppError training-diverged, cancelled, invalid-configuration for an earlier run of which nobody said whether to go on with it
 */
export async function trainFold(
  training: TrainingContext,
  split: FoldSplit,
): Promise<[TrainedRun, ...TrainedRun[]]> {
  const [first, ...others] = viewsOf(training.frontEnd);
  const runs: [TrainedRun, ...TrainedRun[]] = [await trainView(training, split, first, 0)];
  for (const [index, view] of others.entries()) runs.push(await trainView(training, split, view, index + 1));
  return runs;
}

/** @param turn of the view: which of the networks is trained */
async function trainView(
  training: TrainingContext,
  split: FoldSplit,
  view: View,
  turn: number,
): Promise<TrainedRun> {
  const { request, frontEnd, recipe, config, output, signal, dataset, engine } = training;
  const { fence, onEpoch } = training;
  // A run that is finished has no batches between which it could be stopped.
  if (signal.aborted)
    throw new AppError('cancelled', `Stopped between two networks; ${flagOf('resume')} continues.`);
  if (recipe.kind === 'fitted') {
    if (view.kind === 'encoder') return trainHead({ ...training, recipe }, split, view);
    throw new AppError('internal', 'Only a head on an encoder is fitted.');
  }
  const { hyperparameters } = recipe;
  const settings = { ...settingsOf(training, split, view), hyperparameters };
  const feedOptions = {
    seed: request.seed,
    view,
    classes: dataset.classes.length,
    clips: split.train,
    cacheFolder: config.spectrogramCacheFolder,
  };
  const name = runName(settings, dataset.fingerprint);
  const store = await openRunStore(config.runsFolder, name, fence?.attempt);
  await prepareStore(store, request, hyperparameters.epochs);
  const history = (await store.load())?.progress.history ?? [];
  const metricsLog = await openMetricsLog(join(store.folder, 'metrics.jsonl'), history);
  const tensorboard = await openTensorboard(join(store.folder, 'tensorboard'), history);
  const progress = createProgress({
    stream: output,
    epochs: hyperparameters.epochs,
    epochsDone: history.length,
    batchesPerEpoch: recipe.stepsPerEpoch(hyperparameters, split.train.length),
  });
  try {
    const run = await train({
      settings,
      view,
      classes: dataset.classes,
      split,
      dataFingerprint: dataset.fingerprint,
      engine,
      plan: planOf(recipe, feedOptions),
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
        onEpoch?.({
          history: soFar,
          epochs: hyperparameters.epochs,
          turn,
          networks: viewsOf(frontEnd).length,
        });
      },
    });
    return await withFamiliarity(run, recipe, feedOptions, engine);
  } finally {
    progress.close();
    await metricsLog.close();
    await tensorboard.close();
  }
}

/** What an earlier run with the same settings left is continued or forgotten only when it is said which. */
async function prepareStore(
  store: RunStore,
  { resume, fresh }: TrainingRequest,
  epochs: number,
): Promise<void> {
  if (fresh) {
    await store.clear();
    return;
  }
  const earlier = await store.load();
  if (earlier === undefined || resume) return;
  const done = earlier.progress.history.length;
  throw new AppError(
    'invalid-configuration',
    `This run exists and has ${done} of ${epochs} epochs: ${flagOf('resume')} continues it, ${flagOf('fresh')} starts it anew.`,
  );
}
