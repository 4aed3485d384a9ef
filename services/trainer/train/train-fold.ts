import type { FrontEnd } from '../../../shared/contracts/front-end';
import type { TrainingRequest } from '../../../shared/contracts/training-request';
import { AppError } from '../../../shared/errors/app-error';
import type { FoldSplit } from '../data/folds';
import { flagOf } from '../options/command-line';
import { openRunRecords } from './run-records';
import type { SteppedRecipe } from '../recipes/recipe';
import { runName } from '../runs/run-settings';
import { openRunStore, type RunStore } from '../runs/run-store';
import { train, type TrainedRun } from '../optimise/train';
import { trainHead } from '../heads/train-head';
import { settingsOf, type TrainingContext } from '../context/training-context';

/**
 * A run for each front end, one after the other, each from its beginning or from where it was stopped:
 * networks that answer together.
 * @throws AppError training-diverged, cancelled, invalid-configuration for an earlier run of which
 *   nobody said whether to go on with it
 */
export async function trainFold(
  training: TrainingContext,
  split: FoldSplit,
): Promise<[TrainedRun, ...TrainedRun[]]> {
  const [first, ...others] = training.frontEnds;
  const runs: [TrainedRun, ...TrainedRun[]] = [await trainOn(training, split, first)];
  for (const frontEnd of others) runs.push(await trainOn(training, split, frontEnd));
  return runs;
}

/** The run whose network is given the inputs of one front end. */
async function trainOn(training: TrainingContext, split: FoldSplit, frontEnd: FrontEnd): Promise<TrainedRun> {
  const { recipe, signal } = training;
  // A run that is finished has no batches between which it could be stopped.
  if (signal.aborted) {
    throw new AppError('cancelled', `Stopped between two networks; ${flagOf('resume')} continues.`);
  }
  if (recipe.kind === 'stepped') return trainStepped({ ...training, recipe }, split, frontEnd);
  if (frontEnd.kind === 'encoder') return trainHead({ ...training, recipe }, split, frontEnd);
  throw new AppError('internal', 'Only a head on an encoder is fitted.');
}

/** Trains from epoch to epoch, and keeps each. */
async function trainStepped(
  training: TrainingContext & { readonly recipe: SteppedRecipe },
  split: FoldSplit,
  frontEnd: FrontEnd,
): Promise<TrainedRun> {
  const { request, frontEnds, recipe, dataset, engine, signal } = training;
  const { hyperparameters } = recipe;
  const settings = { ...settingsOf(training, split), hyperparameters };
  const { epochs, batchSize } = hyperparameters;
  const store = await openFencedStore(training, runName(settings, dataset.fingerprint));
  await prepareStore(store, request, epochs);
  const history = (await store.load())?.progress.history ?? [];
  const records = await openRunRecords(store.folder, history, {
    stream: training.output,
    epochs,
    batchesPerEpoch: Math.ceil(split.train.length / batchSize),
  });
  try {
    const { classes, fingerprint: dataFingerprint } = dataset;
    const plan = recipe.plan({
      hyperparameters,
      seed: request.seed,
      frontEnd,
      classes: classes.length,
      clips: split.train,
    });
    return await train({
      settings,
      plan,
      frontEnd,
      classes,
      split,
      dataFingerprint,
      engine,
      store,
      signal,
      onBatch: ({ clipsDone, loss, accuracy }) => {
        records.batch({ batch: Math.ceil(clipsDone / batchSize), loss, accuracy });
      },
      onEpoch: async (metrics, progress) => {
        await records.epoch(metrics);
        const place = { networkIndex: frontEnds.indexOf(frontEnd), networks: frontEnds.length };
        training.onEpoch?.({ history: progress.history, epochs, ...place });
      },
    });
  } finally {
    await records.close();
  }
}

/** The run's store, which saves nothing more of an attempt that was overtaken. */
async function openFencedStore({ config, fence }: TrainingContext, name: string): Promise<RunStore> {
  const store = await openRunStore(config.runsFolder, name, fence?.attempt);
  return {
    ...store,
    save: async (saved) => {
      await fence?.assertMine();
      await store.save(saved);
    },
  };
}

/**
 * What an earlier run with the same settings left is continued or forgotten only when it is said which.
 */
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
