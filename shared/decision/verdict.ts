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
  /** A highest probability below this is no class; absent: everything is one. */
  readonly unknownBelow: number | undefined;
}

/** What is said of one window. */
export function verdictOf(probabilities: ArrayLike<number>, options: VerdictOptions): Verdict {
  const { classes, unknownBelow = 0 } = options;
  const predictions = topK(probabilities, classes, Math.max(1, options.topK));
  const { label, probability } = predictions[0]!;
  const unknown = probability < unknownBelow;
  return { label: unknown ? unknownLabel : label, unknown, confidence: probability, predictions };
}

/**
 * What is said of a clip: the mean over its windows. Windows in which no class is heard (the silence around a bark) have
 * no say where there is one in which it is.
 */
export function verdictOfWindows(windows: readonly ArrayLike<number>[], options: VerdictOptions): Verdict {
  const known = windows.filter((window) => !verdictOf(window, options).unknown);
  if (known.length === 0) {
    const overall = verdictOf(mean(windows), options);
    return { ...overall, label: unknownLabel, unknown: true };
  }
  const overall = verdictOf(mean(known), options);
  // Windows that each know a class of their own may leave no single one probable: the clip holds several, not none.
  return { ...overall, label: overall.predictions[0]!.label, unknown: false };
}
