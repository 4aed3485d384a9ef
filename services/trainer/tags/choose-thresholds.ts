import { encoderTags } from '../../../shared/encoder/mobile-net';

/** A recording of which it is known that one of AudioSet's classes is heard in it. */
export interface TaggedClip {
  /** The class that it is named as. */
  readonly tag: number;
  readonly source: string;
  /** One value for each class, [527]. */
  readonly probabilities: Float32Array;
}

export interface Thresholds {
  /** One value for each class, [527]. */
  readonly thresholds: number[];
  /** What classes have that too few recordings are of. */
  readonly usual: number;
  /** Classes with a threshold of their own. */
  readonly own: readonly number[];
}

/** A class of fewer sources has no threshold of its own: one recording would decide. */
const fewestSources = 5;
/** Where there are no recordings at all. */
const assumedThreshold = 0.2;
/**
 * Thresholds that are tried: on other sounds than these recordings a lower one would hear what is not
 * there.
 */
const candidates = Array.from({ length: 91 }, (_, index) => (index + 5) / 100);

/**
 * The probability from which on each class counts as heard: the one with the highest F1 over the
 * recordings, where a recording is of the class that it is named as and of no other named one. Classes
 * of few sources have the one that is best for all named classes together.
 */
export function chooseThresholds(clips: readonly TaggedClip[]): Thresholds {
  const named = [...new Set(clips.map(({ tag }) => tag))];
  const judged = (tag: number): Judged[] =>
    clips.map((clip) => ({ probability: clip.probabilities[tag]!, isHeard: clip.tag === tag }));
  const usual = clips.length === 0 ? assumedThreshold : bestThreshold(named.flatMap(judged));
  const sourcesOf = (tag: number): number =>
    new Set(clips.filter((clip) => clip.tag === tag).map(({ source }) => source)).size;
  const own = named.filter((tag) => sourcesOf(tag) >= fewestSources);
  const thresholds = new Array<number>(encoderTags).fill(usual);
  for (const tag of own) thresholds[tag] = bestThreshold(judged(tag));
  return { thresholds, usual, own };
}

interface Judged {
  readonly probability: number;
  readonly isHeard: boolean;
}

/** The middle one of those with the highest F1, which are neighbours mostly. */
function bestThreshold(judged: readonly Judged[]): number {
  const scores = candidates.map((threshold) => f1At(threshold, judged));
  const highest = Math.max(...scores);
  const best = candidates.filter((_, index) => scores[index] === highest);
  return best[Math.floor((best.length - 1) / 2)]!;
}

function f1At(threshold: number, judged: readonly Judged[]): number {
  const taken = judged.filter(({ probability }) => probability >= threshold);
  const right = taken.filter(({ isHeard }) => isHeard).length;
  const all = judged.filter(({ isHeard }) => isHeard).length;
  return (2 * right) / (taken.length + all);
}
