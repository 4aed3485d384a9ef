import { minFolds } from './assign-folds';
import { classNameProblem, isOtherCategory } from './class-name';
import type { DatasetListing, DatasetRow } from './dataset-csv';
import { ProblemList, shownList, shownValue } from './dataset-problems';

/** Limit of the manifest. */
const maxClasses = 1000;
/**
 * Maximum number of folds. Each fold is used once for validation, and each class is counted in each
 * fold.
 */
const maxFolds = 100;

interface Count {
  readonly targets: Set<number | undefined>;
  readonly folds: Set<number>;
}

export interface DatasetClasses {
  /**
   * In the order of the network's outputs: by `target` where it is given, otherwise alphabetically by
   * code unit, which does not depend on the machine.
   */
  readonly classes: string[];
  /**
   * Problems that prevent training. Each fold is used for validation, so every class needs a clip in
   * each.
   */
  readonly problems: ProblemList;
  readonly warnings: string[];
}

/**
 * Determines the classes of a list of clips. The category `unknown` is not a class: its clips teach a
 * version to reject other sounds. Problems that only follow from dropped lines are not reported.
 */
export function classesOf({
  rows: all,
  isPartial,
}: Pick<DatasetListing, 'rows' | 'isPartial'>): DatasetClasses {
  const rows = all.filter(({ category }) => !isOtherCategory(category));
  const { counts, folds } = count(rows);
  const classes = [...counts.keys()].sort();
  const targetOf = (category: string): number => [...counts.get(category)!.targets][0] ?? 0;
  const problems = new ProblemList();
  for (const category of classes) {
    const problem = classNameProblem(category);
    if (problem !== undefined) problems.add(problem);
  }
  if (rows.length > 0) {
    const extent = { folds: folds.size, isPartial, hasOthers: rows.length < all.length };
    const isBounded = addSizeProblems(problems, classes, extent);
    addTargetProblems(problems, classes, counts);
    if (isBounded && !isPartial) addFoldProblems(problems, classes, folds, counts);
  }
  if (rows.length === 0 && all.length > 0 && !isPartial) {
    problems.add(
      'every recording is of the category unknown, which holds what is none of the classes: name 2 or more',
    );
  }
  // The sort is stable: without targets the alphabetical order remains.
  const warnings = similarNameWarnings(classes);
  return { classes: classes.sort((a, b) => targetOf(a) - targetOf(b)), problems, warnings };
}

function count(rows: readonly DatasetRow[]): { counts: Map<string, Count>; folds: Set<number> } {
  const counts = new Map<string, Count>();
  const folds = new Set<number>();
  for (const { category, target, fold } of rows) {
    folds.add(fold);
    let known = counts.get(category);
    if (known === undefined) counts.set(category, (known = { targets: new Set(), folds: new Set() }));
    known.targets.add(target);
    known.folds.add(fold);
  }
  return { counts, folds };
}

interface Extent {
  /** Number of folds of the classes. */
  readonly folds: number;
  /** Whether lines were dropped, so that a missing fold is no problem. */
  readonly isPartial: boolean;
  /** Whether there are recordings of `unknown` as well. */
  readonly hasOthers: boolean;
}

/** @returns whether the numbers of classes and folds are small enough to check every pair */
function addSizeProblems(
  problems: ProblemList,
  classes: readonly string[],
  { folds, isPartial, hasOthers }: Extent,
): boolean {
  const [tooManyClasses, tooManyFolds] = [classes.length > maxClasses, folds > maxFolds];
  if (tooManyClasses || (classes.length < 2 && !isPartial)) {
    const names = shownList(classes, 3);
    const others = hasOthers ? '; unknown does not count, it holds what is none of them' : '';
    problems.add(`expected 2 to ${maxClasses} categories, got ${classes.length}: ${names}${others}`);
  }
  if (tooManyFolds) problems.add(`expected at most ${maxFolds} folds, got ${folds}`);
  if (folds < minFolds && !isPartial) {
    problems.add(`expected at least ${minFolds} folds (training, validation, test), got ${folds}`);
  }
  return !tooManyClasses && !tooManyFolds;
}

function addTargetProblems(
  problems: ProblemList,
  classes: readonly string[],
  counts: ReadonlyMap<string, Count>,
): void {
  const ownerOf = new Map<number, string>();
  for (const category of classes) {
    const numbers = [...counts.get(category)!.targets].filter((target) => target !== undefined);
    if (numbers.length > 1) {
      problems.add(`category ${shownValue(category)} has several targets: ${shownList(numbers.map(String))}`);
    }
    for (const number of numbers) {
      const owner = ownerOf.get(number);
      if (owner !== undefined) {
        problems.add(`target ${number} is given to both ${shownValue(owner)} and ${shownValue(category)}`);
      }
      ownerOf.set(number, category);
    }
  }
}

function addFoldProblems(
  problems: ProblemList,
  classes: readonly string[],
  folds: ReadonlySet<number>,
  counts: ReadonlyMap<string, Count>,
): void {
  const sorted = [...folds].sort((a, b) => a - b);
  for (const category of classes) {
    const own = counts.get(category)!.folds;
    const absent = sorted.filter((fold) => !own.has(fold));
    if (absent.length === 0) continue;
    const list = shownList(absent.map(String), 10);
    problems.add(
      `category ${shownValue(category)} has no clip in fold ${list}; every fold needs at least one`,
    );
  }
}

/** Returns warnings for classes whose names may be meant to be equal. */
function similarNameWarnings(classes: readonly string[]): string[] {
  const groups = new Map<string, string[]>();
  for (const category of classes) {
    const key = category.normalize('NFKC').toLowerCase();
    groups.set(key, [...(groups.get(key) ?? []), category]);
  }
  return [...groups.values()]
    .filter((group) => group.length > 1)
    .slice(0, 20)
    .map((group) => `the categories ${shownList(group)} differ in case or in the form of letters alone`);
}
