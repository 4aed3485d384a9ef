import { AppError } from '../errors/app-error';

/** More would scroll the first ones out of sight; `details.problems` has them all. */
const shownProblems = 200;

/** One error for everything that is wrong with a dataset, so that it can be put right in one go. */
export function invalidDataset(folder: string, problems: readonly string[]): AppError {
  const shown = problems.slice(0, shownProblems).map((problem) => `\n  - ${problem}`);
  const hidden = problems.length - shown.length;
  const rest = hidden > 0 ? `\n  … and ${hidden} more` : '';
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new AppError('invalid-dataset', `The dataset in ${folder} has ${count}:${shown.join('')}${rest}`, {
    details: { problems: [...problems] },
  });
}
