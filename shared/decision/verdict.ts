import type { Level } from '../audio/level';
import type { Prediction } from '../contracts/classification';
import { mean } from './mean';
import { topK } from './top-k';

/** The label of what is none of the classes. */
export const unknownLabel = 'unknown';

export interface Verdict {
  /** The most probable class, or `unknown`. */
  readonly label: string;
  readonly unknown: boolean;
  /** The most probable class's probability, known or not. */
  readonly confidence: number;
  readonly predictions: Prediction[];
}

export interface VerdictOptions {
  readonly classes: readonly string[];
  readonly topK: number;
  /** A highest probability, times the familiarity, below this is no class; absent: everything is one. */
  readonly unknownBelow: number | undefined;
}

/** What is said of one window: `unknown` of silence, and of what no class is probable enough for. */
export function verdictOf(
  { probabilities, familiarity = 1, loudestDecibels }: Omit<JudgedWindow, 'power'>,
  options: VerdictOptions,
): Verdict {
  const { classes, unknownBelow } = options;
  const predictions = topK(probabilities, classes, Math.max(1, options.topK));
  const { label, probability } = predictions[0]!;
  const unknown =
    unknownBelow !== undefined &&
    (probability * familiarity < unknownBelow || loudestDecibels < inaudibleDecibels);
  return { label: unknown ? unknownLabel : label, unknown, confidence: probability, predictions };
}

/** Quieter than this, of full scale, is nothing: 16-bit rounding noise lies at −101 dB. */
const inaudibleDecibels = -85;

/** A window this far below a clip's loudest is the silence around a sound, and not the sound. */
const silenceDecibels = 25;

export interface JudgedWindow extends Pick<Level, 'power' | 'loudestDecibels'> {
  readonly probabilities: ArrayLike<number>;
  /** How likely it is like the training clips at all; absent: nobody judged it. */
  readonly familiarity?: number | undefined;
}

/**
 * What is said of a clip: the mean over its windows, weighted by their power: a window that holds a sound's end and much
 * background says less than the one that holds the sound. Windows of silence beside sound have no say, nor have those in which
 * no class is heard where there is one in which it is.
 */
export function verdictOfWindows(windows: readonly JudgedWindow[], options: VerdictOptions): Verdict {
  const audible = Math.max(...windows.map((window) => window.loudestDecibels)) - silenceDecibels;
  const heard = windows.filter((window) => window.loudestDecibels >= audible);
  const known = heard.filter((window) => !verdictOf(window, options).unknown);
  const said = known.length === 0 ? heard : known;
  const powers = said.map(({ power }) => power);
  const probabilities = mean(
    said.map((window) => window.probabilities),
    powers.some((power) => power > 0) ? powers : undefined,
  );
  const loudestDecibels = Math.max(...said.map((window) => window.loudestDecibels));
  const overall = verdictOf({ probabilities, loudestDecibels }, options);
  if (known.length === 0) return { ...overall, label: unknownLabel, unknown: true };
  // Windows that each know a class of their own may leave no single one probable: the clip holds several, not none.
  return { ...overall, label: overall.predictions[0]!.label, unknown: false };
}
