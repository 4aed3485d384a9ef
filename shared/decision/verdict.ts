import type { Level } from '../signal/level';
import type { Prediction } from '../contracts/classification';
import { mean } from './mean';
import audioSetLabels from '../encoder/audioset-labels.json';
import { topK } from './top-k';

const tagLabels = audioSetLabels.map(({ label }) => label);

/** The label of what is none of the classes. */
export const unknownLabel = 'unknown';

export interface Verdict {
  /** The most probable class, or `unknown`. */
  readonly label: string;
  readonly unknown: boolean;
  /** How sure it is of the most probable class, known or not: its probability times the evidence for it. */
  readonly confidence: number;
  readonly predictions: Prediction[];
  /** The likeliest of AudioSet's tags, which do not exclude each other; absent where no encoder hears, or none was asked for. */
  readonly tags?: Prediction[];
}

export interface VerdictOptions {
  readonly classes: readonly string[];
  readonly topK: number;
  /** A highest probability, times the evidence for its class, below this is no class; absent: everything is one. */
  readonly unknownBelow: number | undefined;
  /** How many of AudioSet's tags to name; absent: none. */
  readonly topTags?: number | undefined;
}

/** What is said of one window: `unknown` of silence, and of what no class is probable enough for. */
export function verdictOf(
  { probabilities, evidence, tags, loudestDecibels }: Omit<JudgedWindow, 'power'>,
  options: VerdictOptions,
): Verdict {
  const { classes, unknownBelow, topTags = 0 } = options;
  const predictions = topK(probabilities, classes, Math.max(1, options.topK));
  const { label, probability } = predictions[0]!;
  const confidence = probability * (evidence?.[classes.indexOf(label)] ?? 1);
  const unknown =
    unknownBelow !== undefined && (confidence < unknownBelow || loudestDecibels < inaudibleDecibels);
  return {
    label: unknown ? unknownLabel : label,
    unknown,
    confidence,
    predictions,
    ...(tags === undefined || topTags === 0 ? {} : { tags: topK(tags, tagLabels, topTags) }),
  };
}

/** Quieter than this, of full scale, is nothing: 16-bit rounding noise lies at −101 dB. */
const inaudibleDecibels = -85;

/** A window this far below a clip's loudest is the silence around a sound, and not the sound. */
const silenceDecibels = 25;

export interface JudgedWindow extends Pick<Level, 'power' | 'loudestDecibels'> {
  readonly probabilities: ArrayLike<number>;
  /** How much else speaks for each class, from 0 to 1 (shared/decision/rejection.ts); absent: nobody judged it. */
  readonly evidence?: ArrayLike<number> | undefined;
  /** The probability of each of AudioSet's tags; absent: no encoder hears. */
  readonly tags?: ArrayLike<number> | undefined;
}

/** Windows that know a class speak for a clip alone where they hold this share of its power. */
const decisiveShare = 0.5;

/**
 * What is said of a clip: of the mean over its windows, weighted by their power: a window that holds a sound's end and much
 * background says less than the one that holds the sound. Windows of silence beside sound have no say. Where windows in which a
 * class is heard hold half of the power, the others have no say either: the clip may hold several classes, and background. One
 * window of many that takes a sound for a class does not name the clip.
 */
export function verdictOfWindows(windows: readonly JudgedWindow[], options: VerdictOptions): Verdict {
  const audible = Math.max(...windows.map((window) => window.loudestDecibels)) - silenceDecibels;
  const heard = windows.filter((window) => window.loudestDecibels >= audible);
  const known = heard.filter((window) => !verdictOf(window, options).unknown);
  const isDecisive = known.length > 0 && powerOf(known) >= decisiveShare * powerOf(heard);
  const overall = verdictOf(meanWindow(isDecisive ? known : heard), options);
  // Windows that each know a class of their own may leave no single one probable: the clip holds several, not none.
  return isDecisive ? { ...overall, label: overall.predictions[0]!.label, unknown: false } : overall;
}

function powerOf(windows: readonly JudgedWindow[]): number {
  return windows.reduce((sum, { power }) => sum + power, 0);
}

/** The mean of windows by their power; of windows without any, the plain mean. */
function meanWindow(windows: readonly JudgedWindow[]): JudgedWindow {
  const power = powerOf(windows);
  const weights = power > 0 ? windows.map((window) => window.power) : undefined;
  const meanOf = (values: readonly (ArrayLike<number> | undefined)[]): ArrayLike<number> | undefined => {
    const given = values.filter((value) => value !== undefined);
    return given.length === windows.length ? mean(given, weights) : undefined;
  };
  return {
    probabilities: mean(
      windows.map(({ probabilities }) => probabilities),
      weights,
    ),
    evidence: meanOf(windows.map(({ evidence }) => evidence)),
    tags: meanOf(windows.map(({ tags }) => tags)),
    loudestDecibels: Math.max(...windows.map((window) => window.loudestDecibels)),
    power,
  };
}
