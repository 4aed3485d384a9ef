import type { Level } from '../signal/level';
import type { Prediction } from '../contracts/classification';
import type { Manifest } from '../contracts/manifest';
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
  /** Where several classes may be heard at once: those that are, most probable first; the label is the first of them. */
  readonly labels?: Prediction[];
  readonly predictions: Prediction[];
  /** The likeliest of AudioSet's tags, which do not exclude each other; absent where no encoder hears, or none was asked for. */
  readonly tags?: Prediction[];
}

export interface VerdictOptions {
  readonly classes: readonly string[];
  readonly topK: number;
  /** A highest probability, times the evidence for its class, below this is no class; absent: everything is one. */
  readonly unknownBelow: number | undefined;
  /** Where several classes may be heard at once: the probability from which on each is; absent: the most probable one is. */
  readonly thresholds?: readonly number[] | undefined;
  /** How many of AudioSet's tags to name; absent: none. */
  readonly topTags?: number | undefined;
}

/** As a version's manifest has it. */
export function verdictOptions(
  { classes, calibration }: Pick<Manifest, 'classes' | 'calibration'>,
  asked: Pick<VerdictOptions, 'topK' | 'topTags'>,
): VerdictOptions {
  const { unknownBelow, thresholds } = calibration ?? {};
  return { classes, unknownBelow, thresholds, ...asked };
}

/** What is said of one window: `unknown` of silence, and of what no class is probable enough for. */
export function verdictOf(window: Omit<JudgedWindow, 'power'>, options: VerdictOptions): Verdict {
  const { probabilities, evidence, tags, loudestDecibels } = window;
  const { classes, unknownBelow, thresholds, topTags = 0 } = options;
  const predictions = topK(probabilities, classes, Math.max(1, options.topK));
  const named = tags === undefined || topTags === 0 ? {} : { tags: topK(tags, tagLabels, topTags) };
  if (thresholds !== undefined) {
    return { ...labelsOf(window, { classes, thresholds }, predictions[0]!), predictions, ...named };
  }
  const { label, probability } = predictions[0]!;
  const confidence = probability * (evidence?.[classes.indexOf(label)] ?? 1);
  const unknown =
    unknownBelow !== undefined && (confidence < unknownBelow || loudestDecibels < inaudibleDecibels);
  return {
    label: unknown ? unknownLabel : label,
    unknown,
    confidence,
    predictions,
    ...named,
  };
}

/** Every class that is heard; `unknown` where none is. */
function labelsOf(
  { probabilities, loudestDecibels }: Pick<JudgedWindow, 'probabilities' | 'loudestDecibels'>,
  { classes, thresholds }: { readonly classes: readonly string[]; readonly thresholds: readonly number[] },
  likeliest: Prediction,
): Pick<Verdict, 'label' | 'unknown' | 'confidence' | 'labels'> {
  const isHeard = (c: number): boolean =>
    loudestDecibels >= inaudibleDecibels && probabilities[c]! >= thresholds[c]!;
  const heard = classes.flatMap((label, c) =>
    isHeard(c) ? [{ label, probability: probabilities[c]! }] : [],
  );
  const labels = heard.sort((a, b) => b.probability - a.probability);
  const { label, probability } = labels[0] ?? { ...likeliest, label: unknownLabel };
  return { label, unknown: labels.length === 0, confidence: probability, labels };
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
  if (!isDecisive || !overall.unknown) return overall;
  // Windows that each know a class of their own may leave no single one probable: the clip holds several, not none.
  const likeliest = overall.predictions[0]!;
  const named = { ...overall, label: likeliest.label, unknown: false };
  return overall.labels === undefined ? named : { ...named, labels: [likeliest] };
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
