import type { EventQuality, OperatingPoint } from '../../../shared/contracts/report';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { EventRule } from '../../../shared/contracts/stream';
import type { EventClass } from '../../../shared/decision/event-detector';
import { eventClasses } from '../../../shared/decision/event-scores';
import {
  rateInterval,
  recordingsInterval,
  type RecordingCount,
} from '../../../shared/metrics/recordings-interval';
import { detectEvents } from './detect-events';
import { matchEvents, type Matching, type ReportedEvent } from './match-events';
import type { ScoredTimeline, StreamSettings } from './score-timeline';
import type { BackgroundSpan, Timeline } from './timeline';

/** A timeline and what a version's stream scored of it; its samples are not needed any more. */
export interface JudgedTimeline extends Omit<Timeline, 'samples'> {
  readonly scored: ScoredTimeline;
}

/** The thresholds of operating curves. */
const gridSteps = 50;
const grid = Array.from({ length: gridSteps - 1 }, (_, step) => (step + 1) / gridSteps);

/**
 * Counts hits and false alarms at the version's thresholds.
 * @param timelines at least one
 * @param curves as `operatingCurves` returns them
 */
export function judgeTimelines(
  timelines: readonly JudgedTimeline[],
  manifest: Manifest,
  curves: readonly OperatingPoint[][],
  rule: EventRule,
  settings: StreamSettings,
): Omit<EventQuality, 'fingerprint'> {
  const classes = eventClasses(rule, manifest);
  const own = matchAll(timelines, rule, classes);
  const overall = countEvents(timelines, own, undefined, classes.length);
  const delays = own.flatMap(({ outcomes }) => outcomes).flatMap(delayOf);
  return {
    timelines: timelines.length,
    hours: hoursOf(timelines),
    windowSeconds: settings.windowSeconds,
    hopSeconds: settings.hopSeconds,
    ...overall,
    slowDelaySeconds: quantile(delays, 0.9),
    medianOnsetErrorSeconds: quantile(
      own
        .flatMap(({ outcomes }) => outcomes)
        .flatMap(({ event, report }) =>
          report === undefined ? [] : [report.onsetSeconds - event.onsetSeconds],
        ),
      0.5,
    ),
    repeated: own.reduce((sum, { repeated }) => sum + repeated, 0),
    perClass: classes.map(({ label, onThreshold }, index) => ({
      class: label,
      threshold: onThreshold,
      ...countEvents(timelines, own, index, 1),
      curve: curves[index]!,
    })),
  };
}

/** Hits and false alarms of each class at each threshold of a grid, in the order of the thresholds. */
export function operatingCurves(
  timelines: readonly JudgedTimeline[],
  rule: EventRule,
  manifest: Manifest,
): OperatingPoint[][] {
  const hours = hoursOf(timelines);
  const curves = manifest.classes.map((): OperatingPoint[] => []);
  for (const threshold of grid) {
    const atAll: EventRule = { ...rule, thresholds: undefined, onThreshold: threshold };
    const matchings = matchAll(timelines, atAll, eventClasses(atAll, manifest));
    const outcomes = matchings.flatMap((matching) => matching.outcomes);
    const falseAlarms = matchings.flatMap((matching) => matching.falseAlarms);
    curves.forEach((curve, index) => {
      const labelled = outcomes.filter(({ event }) => event.label === index);
      const found = labelled.filter(({ report }) => report !== undefined).length;
      const alarms = falseAlarms.filter(({ label }) => label === index).length;
      const hits = labelled.length === 0 ? 0 : found / labelled.length;
      curve.push({ threshold, hits, falseAlarmsPerHour: alarms / hours });
    });
  }
  return curves;
}

/**
 * Chooses the lowest threshold of each class from which on all higher ones keep to the false alarms.
 * @param curves of each class, in the order of the thresholds
 */
export function chooseThresholds(
  curves: readonly (readonly OperatingPoint[])[],
  falseAlarmsPerHour: number,
): number[] {
  return curves.map((curve) => {
    const last = curve.findLastIndex((point) => point.falseAlarmsPerHour > falseAlarmsPerHour);
    return curve[last + 1]?.threshold ?? 1;
  });
}

function matchAll(
  timelines: readonly JudgedTimeline[],
  rule: EventRule,
  classes: readonly EventClass[],
): Matching[] {
  return timelines.map(({ events, scored }) => matchEvents(events, detectEvents(scored, rule, classes)));
}

/** @param only the class to count; undefined: all */
function countEvents(
  timelines: readonly JudgedTimeline[],
  matchings: readonly Matching[],
  only: number | undefined,
  classes: number,
): Pick<
  EventQuality,
  | 'events'
  | 'hits'
  | 'hitInterval'
  | 'falseAlarms'
  | 'falseAlarmsPerHour'
  | 'falseAlarmInterval'
  | 'medianDelaySeconds'
> {
  const isCounted = ({ label }: { readonly label: number }): boolean => only === undefined || label === only;
  const outcomes = matchings.flatMap((matching) => matching.outcomes.filter(({ event }) => isCounted(event)));
  const byRecording = new Map<string, { clips: number; correct: number }>();
  for (const { event, report } of outcomes) {
    const score = byRecording.get(event.recording) ?? { clips: 0, correct: 0 };
    score.clips += 1;
    if (report !== undefined) score.correct += 1;
    byRecording.set(event.recording, score);
  }
  const counts = new Map<string, RecordingCount>();
  timelines.forEach(({ background }, index) => {
    const alarms = matchings[index]!.falseAlarms.filter(isCounted);
    for (const [recording, { count, size }] of countBySpan(background, alarms)) {
      const before = counts.get(recording) ?? { count: 0, size: 0 };
      counts.set(recording, { count: before.count + count, size: before.size + size * classes });
    }
  });
  const falseAlarms = matchings.reduce(
    (sum, matching) => sum + matching.falseAlarms.filter(isCounted).length,
    0,
  );
  return {
    events: outcomes.length,
    hits: outcomes.filter(({ report }) => report !== undefined).length,
    hitInterval: outcomes.length === 0 ? null : recordingsInterval([...byRecording.values()]),
    falseAlarms,
    falseAlarmsPerHour: falseAlarms / (hoursOf(timelines) * classes),
    falseAlarmInterval: rateInterval([...counts.values()]),
    medianDelaySeconds: quantile(outcomes.flatMap(delayOf), 0.5),
  };
}

/** Reports and hours by the recording that was the background when they began. */
function countBySpan(
  background: readonly BackgroundSpan[],
  alarms: readonly ReportedEvent[],
): Map<string, RecordingCount> {
  const counts = new Map<string, RecordingCount>();
  background.forEach(({ recording, startSeconds, endSeconds }, index) => {
    const isLast = index === background.length - 1;
    const own = alarms.filter(
      ({ onsetSeconds }) => onsetSeconds >= startSeconds && (isLast || onsetSeconds < endSeconds),
    ).length;
    const before = counts.get(recording) ?? { count: 0, size: 0 };
    const size = before.size + (endSeconds - startSeconds) / 3600;
    counts.set(recording, { count: before.count + own, size });
  });
  return counts;
}

function delayOf({ event, report }: Matching['outcomes'][number]): number[] {
  return report === undefined ? [] : [report.toldSeconds - event.onsetSeconds];
}

function hoursOf(timelines: readonly Pick<Timeline, 'seconds'>[]): number {
  return timelines.reduce((sum, { seconds }) => sum + seconds, 0) / 3600;
}

function quantile(values: readonly number[], share: number): number | null {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.min(ordered.length - 1, Math.floor(share * ordered.length))] ?? null;
}
