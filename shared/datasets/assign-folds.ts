import { deriveSeed } from '../runtime/random';
import { shownValue } from './dataset-problems';

/** The properties of a clip that determine its fold. */
export interface UnfoldedClip {
  readonly filename: string;
  readonly category: string;
  /**
   * The recording from which the clip was cut. All clips of one source are in one fold; otherwise a test
   * would contain training audio.
   */
  readonly source: string;
}

/** Number of folds, as in ESC-50; fewer where a class has fewer sources. */
export const maxFolds = 5;
/** One fold to train on, one to choose the epoch by, and one to test on. */
export const minFolds = 3;
const seed = 1;

/**
 * Assigns folds to clips: stratified (each class is spread over all folds as evenly as its sources
 * allow) and grouped by source. The same clips get the same folds on every machine, in any order.
 *
 * The largest groups are assigned first, each to the fold that has the smallest share of its classes so
 * far (Sechidis et al. 2011, applied to groups).
 * @returns a fold from 1 up for each clip, and the classes that have too few sources for three folds
 */
export function assignFolds(clips: readonly UnfoldedClip[]): { folds: number[]; problems: string[] } {
  const sourcesOf = collect(
    clips,
    ({ category }) => category,
    ({ source }) => source,
  );
  const sizes = [...sourcesOf].map(([category, sources]) => ({ category, count: new Set(sources).size }));
  const problems = sizes
    .filter(({ count }) => count < minFolds)
    .map(
      ({ category, count }) =>
        `category ${shownValue(category)} has clips of ${count} ${count === 1 ? 'source' : 'sources'}; folds are made of at least ${minFolds}`,
    );
  const fewestSources = sizes.reduce((fewest, { count }) => Math.min(fewest, count), maxFolds);
  const foldCount = Math.max(minFolds, fewestSources);
  return { folds: spread(clips, foldCount), problems };
}

/**
 * Assigns a fold to each source, so that each is evaluated by a model of all others. With more than
 * `foldLimit` sources, several share a fold as in `assignFolds`.
 * @returns a fold from 1 up for each clip
 */
export function foldEachSource(clips: readonly UnfoldedClip[], foldLimit: number): number[] {
  const sources = new Set(clips.map(({ source }) => source));
  return spread(clips, Math.min(foldLimit, sources.size));
}

interface Group {
  readonly source: string;
  /** Number of clips of each class. */
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
      // How much of the group's classes the fold has already, as a sum of shares.
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

/** Sorts groups by size, the largest first. Equal ones are in a random order that is always the same. */
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
