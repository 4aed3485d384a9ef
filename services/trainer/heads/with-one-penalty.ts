import { encoderOf } from '../../../shared/contracts/members';
import type { FoldSplit } from '../data/folds';
import type { TrainedRun } from '../optimise/train';
import type { FittedTraining } from '../context/training-context';
import type { PenaltyChoice } from './choose-penalty';
import { trainHead } from './train-head';

/**
 * Heads of several folds, fitted anew with one penalty where each had chosen its own: their
 * probabilities are averaged, and a larger penalty makes a head less sure of everything. It is the
 * middle one of their choices, the lower of two.
 */
export function withOnePenalty(
  training: FittedTraining,
  splits: readonly FoldSplit[],
  networks: readonly (readonly TrainedRun[])[],
): readonly (readonly TrainedRun[])[] {
  const frontEnd = encoderOf(training.frontEnds);
  const choices = networks.flat().flatMap(({ progress }): PenaltyChoice[] => {
    const { hyperparameters } = progress.settings;
    return 'penalty' in hyperparameters ? [hyperparameters] : [];
  });
  const ordered = choices.sort((a, b) => a.penalty - b.penalty);
  const middle = ordered[Math.floor((ordered.length - 1) / 2)];
  if (middle === undefined || frontEnd === undefined) return networks;
  if (ordered[0]!.penalty === ordered.at(-1)!.penalty) return networks;
  return splits.map((split) => [trainHead(training, split, frontEnd, middle)]);
}
