import type { Protocol } from '../../../shared/contracts/manifest';
import { foldEachSource, maxFolds } from '../../../shared/datasets/assign-folds';
import { AppError } from '../../../shared/errors/app-error';
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

/** Networks of a version, and so the splits that leave a source out. */
const maxSplits = 64;

/**
 * Whether a class has so few sources that the folds that were made of them are fewer than the usual
 * five.
 */
export function hasFewSources({ foldsMade, clips }: Dataset): boolean {
  return foldsMade && foldsOf(clips).length < maxFolds;
}

/**
 * The dataset with a fold for each source, as far as a version has networks; the test fold stays as it
 * is.
 */
export function foldedBySource(dataset: Dataset, testFold: number | null): Dataset {
  const others = dataset.clips.filter(({ fold }) => fold !== testFold);
  const unfolded = others.map(({ filename, label, source }) => ({
    filename,
    source,
    category: String(label),
  }));
  const numbers = foldEachSource(unfolded, maxSplits);
  const isBehindTest = (fold: number): boolean => testFold !== null && fold >= testFold;
  const folds = new Map(
    others.map((clip, index) => [clip, numbers[index]! + (isBehindTest(numbers[index]!) ? 1 : 0)]),
  );
  return {
    ...dataset,
    clips: dataset.clips.map((clip) => ({ ...clip, fold: folds.get(clip) ?? clip.fold })),
  };
}

/** The folds that there are, in order. */
export function foldsOf(clips: readonly { readonly fold: number }[]): number[] {
  return [...new Set(clips.map(({ fold }) => fold))].sort((a, b) => a - b);
}

function refuse(message: string): AppError {
  return new AppError('invalid-configuration', message);
}
