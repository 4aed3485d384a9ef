import type { Level } from '../../../shared/signal/level';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { Verdict } from '../../../shared/decision/verdict';

/** A window that was judged, and what was said of it. */
export interface ObservedWindow {
  /** Mono, at the judging model's rate; not to be changed, and to be copied by who wants it for longer. */
  readonly samples: Float32Array;
  readonly level: Level;
  /** The most probable class, or `unknown`. */
  readonly label: string;
  /** The most probable class, known or not, and its probability. */
  readonly nearest: string;
  readonly confidence: number;
}

/** Looks on at what is judged. It keeps nobody waiting and never throws. */
export type WindowObserver = (manifest: Manifest, windows: readonly ObservedWindow[]) => void;

export function observeWindow(
  samples: Float32Array,
  level: Level,
  { label, confidence, predictions }: Verdict,
): ObservedWindow {
  return { samples, level, label, nearest: predictions[0]!.label, confidence };
}
