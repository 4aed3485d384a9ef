import { setImmediate } from 'node:timers/promises';
import type { FrontEnd } from '../../../shared/contracts/front-end';
import type { EpochMetrics } from '../../../shared/contracts/report';
import { describeEngine, type LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { AppError } from '../../../shared/errors/app-error';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { createNetwork } from '../../../shared/compute/network/create-network';
import type { Network } from '../../../shared/compute/network/network';
import { deriveSeed } from '../../../shared/runtime/random';
import type { WeightValues } from '../../../shared/registry/weights-file';
import { assertConverging } from './divergence';
import type { LabelledClip } from '../data/dataset';
import type { FoldSplit } from '../data/folds';
import { flagOf } from '../options/command-line';
import { createLearner, type Learner } from './learner';
import { freshState } from './network-state';
import { inputsOf, lossAndAccuracy, predictOutputs } from './predict';
import type { SteppedSettings } from '../runs/run-settings';
import type { TrainingPlan } from './training-plan';
import type { RunProgress, RunStore, SavedRun } from '../runs/run-store';

export interface TrainOptions {
  readonly settings: SteppedSettings;
  readonly plan: TrainingPlan;
  /** What the network is given. */
  readonly frontEnd: FrontEnd;
  readonly classes: readonly string[];
  readonly split: FoldSplit;
  readonly dataFingerprint: string;
  readonly engine: LoadedEngine;
  readonly store: RunStore;
  readonly onBatch?: (progress: BatchProgress) => void;
  /** Called when the epoch is safely on disk. */
  readonly onEpoch?: (metrics: EpochMetrics, progress: RunProgress) => Promise<void> | void;
  /** Stops between two batches; the run can be resumed from its last whole epoch. */
  readonly signal?: AbortSignal;
}

interface BatchProgress {
  readonly epoch: number;
  readonly clipsDone: number;
  readonly clips: number;
  /** Means over the epoch so far. */
  readonly loss: number;
  readonly accuracy: number;
}

/**
 * A finished run: its history, and the weights of its last epoch and of the best by validation accuracy.
 */
export interface TrainedRun {
  /** Where its curves and its state are; undefined: it took a moment, and has neither. */
  readonly folder: string | undefined;
  /** What the network is given: one of the recipe's front ends. */
  readonly frontEnd: FrontEnd;
  readonly network: Network;
  readonly progress: RunProgress;
  readonly lastWeights: WeightValues;
  readonly bestWeights: WeightValues;
}

/**
 * Trains from the store's state, or from the start, to the last epoch. Everything random is a function
 * of the seed and the epoch, so a run that was killed and resumed ends with the weights of one that was
 * not.
 *
 * @throws AppError training-diverged with what to try, cancelled
 */
export async function train(options: TrainOptions): Promise<TrainedRun> {
  const { settings, store, classes, plan } = options;
  const network = createNetwork(settings.network, classes.length);
  let run: SavedRun = (await store.load()) ?? startOf(network, options);
  const { validation: validationClips } = options.split;
  const validationInputs = inputsOf(validationClips, options.frontEnd, options.engine);
  const learner = createLearner(network, run.state, options.engine);
  try {
    while (run.progress.history.length < plan.epochs) {
      const startedAt = performance.now();
      const epoch = run.progress.history.length + 1;
      const { loss, accuracy } = await trainEpoch(learner, run.state.step, epoch, options);
      const validation = validate(learner, validationClips, validationInputs);
      const metrics: EpochMetrics = {
        epoch,
        trainLoss: loss,
        trainAccuracy: accuracy,
        ...validation,
        seconds: (performance.now() - startedAt) / 1000,
      };
      run = advance(run, metrics, learner.values());
      assertConverging(run.progress.history, settings.hyperparameters, classes.length);
      await store.save(run);
      await options.onEpoch?.(metrics, run.progress);
    }
  } finally {
    learner.dispose();
  }
  return {
    folder: store.folder,
    frontEnd: options.frontEnd,
    network,
    progress: run.progress,
    lastWeights: run.state.weights,
    bestWeights: run.bestWeights,
  };
}

function startOf(network: Network, { settings, dataFingerprint, engine }: TrainOptions): SavedRun {
  const state = freshState(network, settings.seed);
  return {
    progress: {
      settings,
      dataFingerprint,
      engine: describeEngine(engine, network.config),
      step: 0,
      history: [],
      bestEpoch: 0,
    },
    state,
    bestWeights: state.weights,
  };
}

async function trainEpoch(
  learner: Learner,
  stepsBefore: number,
  epoch: number,
  { settings, plan, split, onBatch, signal }: TrainOptions,
): Promise<{ loss: number; accuracy: number }> {
  const clips = split.train.length;
  const [totals, done] = [{ loss: 0, correct: 0 }, { clips: 0 }];
  let step = stepsBefore;
  for (const batch of plan.batches(epoch)) {
    const seed = deriveSeed(settings.seed, 'step', step++);
    const result = learner.step(batch, plan.learningRate, seed);
    totals.loss += result.loss;
    totals.correct += result.correct;
    done.clips += batch.size;
    const [loss, accuracy] = [totals.loss / done.clips, totals.correct / done.clips];
    onBatch?.({ epoch, clipsDone: done.clips, clips, loss, accuracy });
    await setImmediate(); // signals and timers get their turn
    if (signal?.aborted === true) {
      throw new AppError(
        'cancelled',
        `Stopped in epoch ${epoch}; ${flagOf('resume')} continues after epoch ${epoch - 1}.`,
      );
    }
  }
  return { loss: totals.loss / clips, accuracy: totals.correct / clips };
}

function validate(
  learner: Learner,
  clips: readonly Pick<LabelledClip, 'label'>[],
  inputs: readonly (readonly Float32Array[])[],
): { validationLoss: number; validationAccuracy: number } {
  const logits = predictOutputs(learner, inputs);
  const probabilities = logits.map((rows) => meanProbabilities(rows));
  const { loss, accuracy } = lossAndAccuracy(clips, probabilities);
  return { validationLoss: loss, validationAccuracy: accuracy };
}

/**
 * The run one epoch on; its best epoch is that of the highest validation accuracy, ties to the lower
 * loss.
 */
function advance(run: SavedRun, metrics: EpochMetrics, state: SavedRun['state']): SavedRun {
  const history = [...run.progress.history, metrics];
  const best = history[run.progress.bestEpoch - 1];
  const isBest =
    best === undefined ||
    metrics.validationAccuracy > best.validationAccuracy ||
    (metrics.validationAccuracy === best.validationAccuracy && metrics.validationLoss < best.validationLoss);
  return {
    progress: {
      ...run.progress,
      step: state.step,
      history,
      bestEpoch: isBest ? metrics.epoch : run.progress.bestEpoch,
    },
    state,
    bestWeights: isBest ? state.weights : run.bestWeights,
  };
}
