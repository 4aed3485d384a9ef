import { AppError } from '../errors/app-error';

/** What is wrong with a dataset: the first ones in words, and how many there are. */
export interface DatasetProblems {
  readonly shown: readonly string[];
  readonly count: number;
}

/** More would scroll the first ones out of sight, and cost as much as whoever sent the data likes. */
const maxShown = 200;
const maxQuoted = 200;

/** Gathers problems in bounded memory. */
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

/** A name or value from the data, fit for a message: one line, and not too long. */
export function shownValue(value: string): string {
  const cut = value.length > maxQuoted ? `${value.slice(0, maxQuoted)}…` : value;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (letter) => {
    return `\\u{${letter.codePointAt(0)!.toString(16)}}`;
  });
}

/** The first few of a list, and how many more there are. */
export function shownList(values: readonly string[], most = 5): string {
  const rest = values.length - most;
  return values.slice(0, most).map(shownValue).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/** One error for everything that is wrong with a dataset, so that it can be put right in one go. */
export function invalidDataset(folder: string, problems: readonly string[] | DatasetProblems): AppError {
  const { shown, count } = 'shown' in problems ? problems : { shown: problems, count: problems.length };
  const lines = shown.map((problem) => `\n  - ${problem}`).join('');
  const rest = count > shown.length ? `\n  … and ${count - shown.length} more` : '';
  const total = count === 1 ? '1 problem' : `${count} problems`;
  return new AppError('invalid-dataset', `The dataset in ${folder} has ${total}:${lines}${rest}`, {
    details: { problems: [...shown], problemCount: count },
  });
}
