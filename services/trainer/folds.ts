import type { Protocol } from '../../shared/contracts/manifest';
import { AppError } from '../../shared/errors/app-error';
import type { Dataset, LabelledClip } from './dataset';

export interface FoldSplit {
  readonly protocol: Protocol;
  readonly train: readonly LabelledClip[];
  readonly validation: readonly LabelledClip[];
  readonly test: readonly LabelledClip[];
}

/**
 * The report's protocol: one fold to test on, which neither trains nor selects; one to choose the epoch
 * by; the others train. Without a test fold all others train: what is validated on is what is reported.
 *
 * @throws AppError invalid-configuration when a fold does not exist or both are the same
 */
export function splitFolds(
  dataset: Dataset,
  { testFold, validationFold }: { readonly testFold: number | null; readonly validationFold: number },
  blind = false,
): FoldSplit {
  const folds = foldsOf(dataset.clips);
  for (const [option, fold] of Object.entries({ test: testFold, validation: validationFold })) {
    if (fold === null || folds.includes(fold)) continue;
    throw refuse(`The ${option} fold ${fold} is not in the dataset; it has the folds ${folds.join(', ')}.`);
  }
  if (testFold === validationFold) {
    throw refuse(
      `Fold ${testFold} cannot be both the test and the validation fold: the test would be what was selected by.`,
    );
  }
  const trainFolds = folds.filter((fold) => fold !== testFold && fold !== validationFold);
  if (trainFolds.length === 0) throw refuse('No fold is left to train on; the dataset needs at least three.');
  return {
    protocol: { testFold, validationFold, trainFolds },
    train: dataset.clips.filter((clip) => trainFolds.includes(clip.fold)),
    validation: dataset.clips.filter((clip) => clip.fold === validationFold),
    test: blind ? [] : dataset.clips.filter((clip) => clip.fold === testFold),
  };
}

/** The folds that there are, in order. */
export function foldsOf(clips: readonly { readonly fold: number }[]): number[] {
  return [...new Set(clips.map(({ fold }) => fold))].sort((a, b) => a - b);
}

function refuse(message: string): AppError {
  return new AppError('invalid-configuration', message);
}
