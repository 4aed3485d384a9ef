import { encoderOf } from '../../../shared/contracts/members';
import { AppError } from '../../../shared/errors/app-error';
import type { FoldSplit } from '../data/folds';
import type { TrainedRun } from '../optimise/train';
import type { FittedTraining } from '../context/training-context';
import { choosePenalty } from './choose-penalty';
import { clipFeatures } from './clip-features';
import { trainHead } from './train-head';

/**
 * A head for each split, all with one penalty, chosen on the clips of all splits in turn: for splits
 * that leave out so little that each would choose the same, at many times the work. One of five
 * penalties is all that a left-out clip has a say in.
 */
export function trainHeads(training: FittedTraining, splits: readonly FoldSplit[]): TrainedRun[] {
  const { frontEnds, engine, dataset, request } = training;
  const frontEnd = encoderOf(frontEnds);
  if (frontEnd === undefined) throw new AppError('internal', 'Only heads on an encoder are fitted.');
  const { penalty } = request.hyperparameters;
  const clips = splits.flatMap(({ validation }) => validation);
  const choice =
    penalty === undefined
      ? choosePenalty({
          training: clipFeatures(clips, frontEnd, engine),
          validation: [],
          classes: dataset.classes.length,
        })
      : { penalty };
  return splits.map((split) => trainHead(training, split, frontEnd, choice));
}
