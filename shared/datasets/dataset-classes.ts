import { fewestFolds } from './assign-folds';
import type { DatasetRow } from './dataset-csv';

/** What a manifest can hold. */
const maxClasses = 1000;

/**
 * The classes of a list of clips, in the order of the network's outputs: by `target` where it is given,
 * else alphabetically (by code unit, the same on every machine).
 *
 * @returns also what keeps the list from being trained on and judged: every fold takes its turn, so every
 *   class needs a clip in each
 */
export function classesOf(rows: readonly DatasetRow[]): { classes: string[]; problems: string[] } {
  const targets = new Map<string, Set<number | undefined>>();
  const folds = new Set<number>();
  const foldsOf = new Map<string, Set<number>>();
  for (const { category, target, fold } of rows) {
    folds.add(fold);
    targets.set(category, (targets.get(category) ?? new Set()).add(target));
    foldsOf.set(category, (foldsOf.get(category) ?? new Set()).add(fold));
  }
  const classes = [...targets.keys()].sort();
  const targetOf = (category: string): number => [...targets.get(category)!][0] ?? 0;
  const problems = [
    ...sizeProblems(classes.length, folds.size),
    ...targetProblems(classes, targets),
    ...foldProblems(classes, folds, foldsOf),
  ];
  // The sort is stable: without targets the alphabetical order stays.
  return { classes: classes.sort((a, b) => targetOf(a) - targetOf(b)), problems };
}

function sizeProblems(classes: number, folds: number): string[] {
  const problems: string[] = [];
  if (classes < 2 || classes > maxClasses) {
    problems.push(`expected 2 to ${maxClasses} categories, got ${classes}`);
  }
  if (folds < fewestFolds) {
    problems.push(`expected at least ${fewestFolds} folds (training, validation, test), got ${folds}`);
  }
  return problems;
}

function targetProblems(
  classes: readonly string[],
  targets: ReadonlyMap<string, ReadonlySet<number | undefined>>,
): string[] {
  const problems: string[] = [];
  const ownerOf = new Map<number, string>();
  for (const category of classes) {
    const numbers = [...targets.get(category)!].filter((target) => target !== undefined);
    if (numbers.length > 1) problems.push(`category ${category} has several targets: ${numbers.join(', ')}`);
    for (const number of numbers) {
      const owner = ownerOf.get(number);
      if (owner !== undefined) problems.push(`target ${number} is given to both ${owner} and ${category}`);
      ownerOf.set(number, category);
    }
  }
  return problems;
}

function foldProblems(
  classes: readonly string[],
  folds: ReadonlySet<number>,
  foldsOf: ReadonlyMap<string, ReadonlySet<number>>,
): string[] {
  const sorted = [...folds].sort((a, b) => a - b);
  return classes.flatMap((category) => {
    const missing = sorted.filter((fold) => !foldsOf.get(category)!.has(fold));
    if (missing.length === 0) return [];
    return [`category ${category} has no clip in fold ${missing.join(', ')}; every fold needs at least one`];
  });
}
