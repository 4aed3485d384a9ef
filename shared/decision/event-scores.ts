import type { Manifest } from '../contracts/manifest';
import type { EventRule } from '../contracts/stream';
import { EventDetector } from './event-detector';
import type { Verdict } from './verdict';

/** What the model said of a window. */
interface JudgedWindow {
  readonly verdict: Verdict;
  /** One per class. */
  readonly probabilities: ArrayLike<number>;
}

/**
 * Creates the detector of a version's events, the same for streams and recordings.
 * @param eventsBefore number of events that an earlier detector of the same sound reported
 */
export function detectorFor(
  rule: EventRule,
  { classes, calibration }: Pick<Manifest, 'classes' | 'calibration'>,
  eventsBefore = 0,
): EventDetector {
  return new EventDetector(rule, classes, { eventsBefore, thresholds: calibration?.thresholds });
}

/**
 * Returns the probabilities of a window as the detector gets them, one per class. Silent and `unknown`
 * windows count as no class. In a multi-label version each class has a threshold of its own, which the
 * detector applies.
 * @param window undefined for a silent window
 */
export function scoresForEvents(
  { classes }: Pick<Manifest, 'classes'>,
  window: JudgedWindow | undefined,
): ArrayLike<number> {
  const isKnown = window !== undefined && (window.verdict.labels !== undefined || !window.verdict.unknown);
  return isKnown ? window.probabilities : new Float32Array(classes.length);
}
