import type { Level } from '../signal/level';
import type { Prediction } from '../contracts/classification';
import type { Manifest } from '../contracts/manifest';
import { mean } from './mean';
import audioSetLabels from '../encoder/audioset-labels.json';
import { topK } from './top-k';

const tagLabels = audioSetLabels.map(({ label }) => label);

/** The label of sounds that belong to none of the classes. */
export const unknownLabel = 'unknown';

export interface Verdict {
  /** The most probable class, or `unknown`. */
  readonly label: string;
  readonly unknown: boolean;
  /**
   * The probability of the most probable class times the evidence for it, also where the verdict is
   * `unknown`.
   */
  readonly confidence: number;
  /**
   * For models in which classes do not exclude each other: all detected classes, most probable first.
   * `label` is the first.
   */
  readonly labels?: Prediction[];
  readonly predictions: Prediction[];
  /**
   * The most probable AudioSet tags, which do not exclude each other. Absent for a model without the
   * encoder, or when none were requested.
   */
  readonly tags?: Prediction[];
}

export interface VerdictOptions {
  readonly classes: readonly string[];
  readonly topK: number;
  /**
   * The verdict is `unknown` where the highest probability times the evidence for its class is below
   * this. Absent: never.
   */
  readonly unknownBelow: number | undefined;
  /**
   * For models in which classes do not exclude each other: the detection threshold of each class.
   * Absent: the most probable class wins.
   */
  readonly thresholds?: readonly number[] | undefined;
  /** How many AudioSet tags to return; absent: none. */
  readonly topTags?: number | undefined;
}

/** Returns the options that a version's manifest sets. */
export function verdictOptions(
  { classes, calibration }: Pick<Manifest, 'classes' | 'calibration'>,
  asked: Pick<VerdictOptions, 'topK' | 'topTags'>,
): VerdictOptions {
  const { unknownBelow, thresholds } = calibration ?? {};
  return { classes, unknownBelow, thresholds, ...asked };
}

/** Judges one window. The verdict is `unknown` for silence, and where no class is probable enough. */
export function verdictOf(window: Omit<JudgedWindow, 'power'>, options: VerdictOptions): Verdict {
  const { probabilities, evidence, tags } = window;
  const { classes, unknownBelow, thresholds, topTags = 0 } = options;
  const predictions = topK(probabilities, classes, Math.max(1, options.topK));
  const named = tags === undefined || topTags === 0 ? {} : { tags: topK(tags, tagLabels, topTags) };
  if (thresholds !== undefined) {
    return { ...labelsOf(window, { classes, thresholds }, predictions[0]!), predictions, ...named };
  }
  const { label, probability } = predictions[0]!;
  const confidence = probability * (evidence?.[classes.indexOf(label)] ?? 1);
  const unknown = unknownBelow !== undefined && (confidence < unknownBelow || isInaudible(window));
  return {
    label: unknown ? unknownLabel : label,
    unknown,
    confidence,
    predictions,
    ...named,
  };
}

/** Returns the detected classes, most probable first; `unknown` where there are none. */
function labelsOf(
  window: Pick<JudgedWindow, 'probabilities' | 'loudestDecibels'>,
  { classes, thresholds }: { readonly classes: readonly string[]; readonly thresholds: readonly number[] },
  likeliest: Prediction,
): Pick<Verdict, 'label' | 'unknown' | 'confidence' | 'labels'> {
  const { probabilities } = window;
  const isHeard = (c: number): boolean => !isInaudible(window) && probabilities[c]! >= thresholds[c]!;
  const heard = classes.flatMap((label, c) =>
    isHeard(c) ? [{ label, probability: probabilities[c]! }] : [],
  );
  const labels = heard.sort((a, b) => b.probability - a.probability);
  const { label, probability } = labels[0] ?? { ...likeliest, label: unknownLabel };
  return { label, unknown: labels.length === 0, confidence: probability, labels };
}

/**
 * A window whose loudest part is below this level, in dBFS, is silence. The rounding noise of 16 bits is
 * at −101 dB.
 */
const inaudibleDecibels = -85;

/** Tells whether a window is silence, whatever a model says of it. */
export function isInaudible({ loudestDecibels }: Pick<Level, 'loudestDecibels'>): boolean {
  return loudestDecibels < inaudibleDecibels;
}

/** A window this many decibels below the loudest one of the clip is the silence around a sound. */
const silenceDecibels = 25;

export interface JudgedWindow extends Pick<Level, 'power' | 'loudestDecibels'> {
  readonly probabilities: ArrayLike<number>;
  /**
   * The evidence for each class beside its probability, from 0 to 1 (shared/decision/rejection.ts).
   * Absent: the model has none.
   */
  readonly evidence?: ArrayLike<number> | undefined;
  /** The probability of each AudioSet tag. Absent for a model without the encoder. */
  readonly tags?: ArrayLike<number> | undefined;
}

/** Windows with a known class decide alone where they hold at least this share of the clip's power. */
const decisiveShare = 0.5;

/**
 * Judges a clip by the mean of its windows, weighted by their power, so that a window with mostly
 * background counts less than one with the sound. Silent windows do not count. Where windows with a
 * known class hold half of the power, only these count: a clip may contain several classes and
 * background. A single window of many with a known class does not decide.
 */
export function verdictOfWindows(windows: readonly JudgedWindow[], options: VerdictOptions): Verdict {
  const audibleDecibels = Math.max(...windows.map((window) => window.loudestDecibels)) - silenceDecibels;
  const heard = windows.filter((window) => window.loudestDecibels >= audibleDecibels);
  const known = heard.filter((window) => !verdictOf(window, options).unknown);
  const isDecisive = known.length > 0 && powerOf(known) >= decisiveShare * powerOf(heard);
  const overall = verdictOf(meanWindow(isDecisive ? known : heard), options);
  if (!isDecisive || !overall.unknown) return overall;
  // Windows with different classes may leave no class probable enough in the mean; the clip still
  // contains them.
  const likeliest = overall.predictions[0]!;
  const named = { ...overall, label: likeliest.label, unknown: false };
  return overall.labels === undefined ? named : { ...named, labels: [likeliest] };
}

function powerOf(windows: readonly JudgedWindow[]): number {
  return windows.reduce((sum, { power }) => sum + power, 0);
}

/** The mean of windows weighted by power; the plain mean where all powers are 0. */
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
