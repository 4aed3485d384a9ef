import type { SteppedHyperparameters } from '../../../shared/contracts/manifest';
import type { EpochMetrics } from '../../../shared/contracts/report';
import { AppError } from '../../../shared/errors/app-error';
import { flagOf } from '../options/command-line';

/**
 * Guessing costs ln(classes); this many times that, this many epochs in a row, is no path to a model.
 */
const worseThanGuessing = 10;
const patienceEpochs = 3;

/** @throws AppError training-diverged, with what to try, when the losses are not numbers or run away */
export function assertConverging(
  history: readonly EpochMetrics[],
  { learningRate }: SteppedHyperparameters,
  classes: number,
): void {
  const last = history.at(-1);
  if (last === undefined) return;
  const limit = worseThanGuessing * Math.log(classes);
  const recent = history.slice(-patienceEpochs);
  const runsAway = recent.length === patienceEpochs && recent.every(({ trainLoss }) => trainLoss > limit);
  if (Number.isFinite(last.trainLoss) && Number.isFinite(last.validationLoss) && !runsAway) return;
  const what = runsAway
    ? `the training loss stayed above ${limit.toFixed(1)} for ${patienceEpochs} epochs`
    : `the loss is ${last.trainLoss} (validation ${last.validationLoss})`;
  throw new AppError(
    'training-diverged',
    `Training diverged in epoch ${last.epoch}: ${what}. Try ${flagOf('learningRate')} ${learningRate / 10}, or look for ` +
      'clips with extreme levels in the data. Earlier epochs are kept; nothing was published.',
  );
}
