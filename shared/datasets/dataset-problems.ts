import { AppError } from '../errors/app-error';

/** The first problems of a dataset as sentences, and the number of all. */
export interface DatasetProblems {
  readonly shown: readonly string[];
  readonly count: number;
}

/**
 * Maximum number of problems that are shown. More would be unreadable, and let the sender of the data
 * decide the cost.
 */
const maxShown = 200;
const maxQuoted = 200;

/** Collects problems in limited memory. */
export class ProblemList implements DatasetProblems {
  readonly shown: string[] = [];
  count = 0;

  add(problem: string): void {
    this.count++;
    if (this.shown.length < maxShown) this.shown.push(problem);
  }

  addAll({ shown, count }: DatasetProblems): void {
    for (const problem of shown) this.add(problem);
    this.count += count - shown.length;
  }
}

/** Formats a name or value of the data for a message: one line of limited length. */
export function shownValue(value: string): string {
  const cut = value.length > maxQuoted ? `${value.slice(0, maxQuoted)}…` : value;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (letter) => {
    return `\\u{${letter.codePointAt(0)!.toString(16)}}`;
  });
}

/** Formats the first values of a list, and the number of the others. */
export function shownList(values: readonly string[], maxCount = 5): string {
  const rest = values.length - maxCount;
  return values.slice(0, maxCount).map(shownValue).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/** Returns one error with all problems of a dataset, so that they can be corrected together. */
export function invalidDataset(folder: string, problems: readonly string[] | DatasetProblems): AppError {
  const { shown, count } = 'shown' in problems ? problems : { shown: problems, count: problems.length };
  const lines = shown.map((problem) => `\n  - ${problem}`).join('');
  const rest = count > shown.length ? `\n  … and ${count - shown.length} more` : '';
  const total = count === 1 ? '1 problem' : `${count} problems`;
  return new AppError('invalid-dataset', `The dataset in ${folder} has ${total}:${lines}${rest}`, {
    details: { problems: [...shown], problemCount: count },
  });
}
