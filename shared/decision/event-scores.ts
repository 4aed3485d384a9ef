import type { Manifest } from '../contracts/manifest';
import type { EventRule } from '../contracts/stream';
import { AppError } from '../errors/app-error';
import { EventDetector, type EventClass } from './event-detector';
import { isInaudible, type JudgedWindow } from './verdict';

/** What decides events of a version; a part of its manifest. */
export type EventManifest = Pick<Manifest, 'classes' | 'calibration' | 'events'>;

/** Scores that two classes never reach at once: probabilities add up to 1. */
const usualOnThreshold = 0.5;
/** The score at which a sound ends, as a share of that at which it starts. */
const usualHysteresis = 0.6;

/**
 * Creates the detector of a version's events, the same for streams, recordings and their evaluation.
 * @param eventsBefore number of events that an earlier detector of the same sound reported
 */
export function detectorFor(rule: EventRule, manifest: EventManifest, eventsBefore = 0): EventDetector {
  return new EventDetector(rule, eventClasses(rule, manifest), eventsBefore);
}

/**
 * Returns the classes of a version with their thresholds: those of the rule for the class, for all
 * classes, those that the version was published with, those of its calibration.
 */
export function eventClasses(
  { thresholds, onThreshold: forAll, offThreshold: off }: EventRule,
  manifest: EventManifest,
): EventClass[] {
  const own = new Map(Object.entries(thresholds ?? {}));
  const published = manifest.events?.thresholds ?? manifest.calibration?.thresholds;
  const usual = Math.max(usualOnThreshold, manifest.calibration?.unknownBelow ?? 0);
  return manifest.classes.map((label, index) => {
    const onThreshold = own.get(label) ?? forAll ?? published?.[index] ?? usual;
    return {
      label,
      onThreshold,
      offThreshold: Math.min(onThreshold, off ?? usualHysteresis * onThreshold),
    };
  });
}

/** @throws AppError malformed-request that names the classes that the version does not have */
export function assertThresholdsFit({ thresholds = {} }: EventRule, { classes }: EventManifest): void {
  const missing = Object.keys(thresholds).filter((label) => !classes.includes(label));
  if (missing.length === 0) return;
  throw new AppError(
    'malformed-request',
    `thresholds of events: the model has no class ${missing.slice(0, 5).join(', ')}; its classes are ${classes.slice(0, 20).join(', ')}${classes.length > 20 ? ' …' : ''}.`,
  );
}

/**
 * Returns what the detector is told of a window, one score per class: the probability times the
 * evidence for the class, where the model has evidence. A silent window scores 0.
 * @param window undefined for a window that the model was not asked about
 */
export function scoresForEvents(
  { classes }: EventManifest,
  window: Pick<JudgedWindow, 'probabilities' | 'evidence' | 'loudestDecibels'> | undefined,
): Float32Array {
  if (window === undefined || isInaudible(window)) return new Float32Array(classes.length);
  const { probabilities, evidence } = window;
  return Float32Array.from(probabilities, (probability, c) => probability * (evidence?.[c] ?? 1));
}
