import { EventDetector, type EventClass } from '../../../shared/decision/event-detector';
import type { EventRule } from '../../../shared/contracts/stream';
import type { ReportedEvent } from './match-events';
import type { ScoredTimeline } from './score-timeline';

/** Returns the events that a stream reports at these thresholds. */
export function detectEvents(
  { ends, scores }: ScoredTimeline,
  rule: EventRule,
  classes: readonly EventClass[],
): ReportedEvent[] {
  // Labels are indices here: two classes may have any names.
  const detector = new EventDetector(
    rule,
    classes.map((of, index) => ({ ...of, label: String(index) })),
  );
  const reported = ends.flatMap((toldSeconds, window) =>
    detector
      .push(toldSeconds, scores[window]!)
      .filter(({ event }) => event === 'started')
      .map(({ label, onsetSeconds }) => ({ label: Number(label), onsetSeconds, toldSeconds })),
  );
  const endSeconds = ends.at(-1) ?? 0;
  const late = detector.finish(endSeconds).filter(({ event }) => event === 'started');
  return [
    ...reported,
    ...late.map(({ label, onsetSeconds }) => ({
      label: Number(label),
      onsetSeconds,
      toldSeconds: endSeconds,
    })),
  ];
}
