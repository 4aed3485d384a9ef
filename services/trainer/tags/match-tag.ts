import audioSetLabels from '../../../shared/encoder/audioset-labels.json';

/**
 * AudioSet's names in the form in which they are compared; `Chicken, rooster` has two. The first of
 * equal ones counts.
 */
const tagsByName = new Map(
  audioSetLabels
    .flatMap(({ label }, tag) => [label, ...label.split(',')].map((name) => [plain(name), tag] as const))
    .reverse(),
);

/**
 * The AudioSet class that a category names: its label or one of the names between the label's commas,
 * whatever the case, with `_` for spaces, one or several of it.
 * @returns its index; undefined: none is called so
 */
export function matchTag(category: string): number | undefined {
  return tagsByName.get(plain(category));
}

function plain(name: string): string {
  return name.trim().toLowerCase().replaceAll('_', ' ').replace(/s$/, '');
}
