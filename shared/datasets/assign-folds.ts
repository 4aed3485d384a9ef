import { deriveSeed } from '../runtime/random';
import { shownValue } from './dataset-problems';

/** What decides where a clip goes. */
export interface UnfoldedClip {
  readonly filename: string;
  readonly category: string;
  /** What it was cut from: clips of one source stay together, or a test would hear what was trained on. */
  readonly source: string;
}

/** As many as ESC-50 has; fewer where a class has not as many sources. */
export const mostFolds = 5;
/** One to train on, one to choose the epoch by, one to test on. */
export const fewestFolds = 3;
const seed = 1;

/**
 * Folds for clips that come without: stratified (each class is spread over all folds as evenly as its sources allow) and
 * grouped by source. The same clips get the same folds on every machine, in whatever order they are listed.
 *
 * The largest groups go first, each to the fold that has least of its classes by then (Sechidis et al. 2011, with the
 * groups in place of single examples).
 *
 * @returns a fold from 1 up for each clip; and the classes that have too few sources to be in three folds
 */
export function assignFolds(clips: readonly UnfoldedClip[]): { folds: number[]; problems: string[] } {
  const sourcesOf = collect(
    clips,
    ({ category }) => category,
    ({ source }) => source,
  );
  const sizes = [...sourcesOf].map(([category, sources]) => ({ category, count: new Set(sources).size }));
  const problems = sizes
    .filter(({ count }) => count < fewestFolds)
    .map(
      ({ category, count }) =>
        `category ${shownValue(category)} has clips of ${count} ${count === 1 ? 'source' : 'sources'}; folds are made of at least ${fewestFolds}`,
    );
  const fewestSources = sizes.reduce((fewest, { count }) => Math.min(fewest, count), mostFolds);
  const foldCount = Math.max(fewestFolds, fewestSources);
  return { folds: spread(clips, foldCount), problems };
}

/**
 * A fold for each source, so that each is judged by what all others teach. Of more than `most` sources several share a fold, spread
 * as `assignFolds` spreads them.
 * @returns a fold from 1 up for each clip
 */
export function foldEachSource(clips: readonly UnfoldedClip[], most: number): number[] {
  const sources = new Set(clips.map(({ source }) => source));
  return spread(clips, Math.min(most, sources.size));
}

interface Group {
  readonly source: string;
  /** Clips of each class. */
  readonly counts: ReadonlyMap<string, number>;
  readonly size: number;
}

function spread(clips: readonly UnfoldedClip[], foldCount: number): number[] {
  const totals = new Map<string, number>();
  for (const { category } of clips) totals.set(category, (totals.get(category) ?? 0) + 1);
  const folds = Array.from({ length: foldCount }, () => ({ counts: new Map<string, number>(), size: 0 }));
  const foldOf = new Map<string, number>();
  for (const { source, counts, size } of inOrder(groupsOf(clips))) {
    const costs = folds.map((fold) => {
      // How much of what it brings is there already, in shares of each class.
      let cost = 0;
      for (const [category, count] of counts) {
        cost += ((fold.counts.get(category) ?? 0) * count) / totals.get(category)! ** 2;
      }
      return cost;
    });
    let best = 0;
    for (let fold = 1; fold < foldCount; fold++) {
      const difference = costs[fold]! - costs[best]!;
      if (difference < 0 || (difference === 0 && folds[fold]!.size < folds[best]!.size)) best = fold;
    }
    const chosen = folds[best]!;
    for (const [category, count] of counts) {
      chosen.counts.set(category, (chosen.counts.get(category) ?? 0) + count);
    }
    chosen.size += size;
    foldOf.set(source, best + 1);
  }
  return clips.map(({ source }) => foldOf.get(source)!);
}

function groupsOf(clips: readonly UnfoldedClip[]): Group[] {
  const categoriesOf = collect(
    clips,
    ({ source }) => source,
    ({ category }) => category,
  );
  return [...categoriesOf].map(([source, categories]) => {
    const counts = new Map<string, number>();
    for (const category of categories) counts.set(category, (counts.get(category) ?? 0) + 1);
    return { source, counts, size: categories.length };
  });
}

/** The largest first; equal ones in an order that is random, and the same every time. */
function inOrder(groups: readonly Group[]): Group[] {
  return groups
    .map((group) => ({ group, draw: deriveSeed(seed, group.source) }))
    .sort(
      (a, b) => b.group.size - a.group.size || a.draw - b.draw || (a.group.source < b.group.source ? -1 : 1),
    )
    .map(({ group }) => group);
}

function collect<T>(
  items: readonly T[],
  key: (item: T) => string,
  value: (item: T) => string,
): Map<string, string[]> {
  const collected = new Map<string, string[]>();
  for (const item of items) {
    const list = collected.get(key(item));
    if (list === undefined) collected.set(key(item), [value(item)]);
    else list.push(value(item));
  }
  return collected;
}
