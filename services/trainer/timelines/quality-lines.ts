import type { EventQuality } from '../../../shared/contracts/report';
import { interval, percent } from '../report/markup/format';

type Counts = Pick<
  EventQuality,
  'events' | 'hits' | 'hitInterval' | 'falseAlarmsPerHour' | 'falseAlarmInterval' | 'medianDelaySeconds'
>;

/** Columns of the table, and the text of a row. */
const widths = [16, 10, 10, 20, 20, 8] as const;

/** The figures as a table for a terminal, after the notes. */
export function linesOf(quality: EventQuality, notes: readonly string[]): string[] {
  const { hours, windowSeconds, hopSeconds, timelines, slowDelaySeconds, medianOnsetErrorSeconds } = quality;
  return [
    ...notes,
    `${timelines} timeline${timelines === 1 ? '' : 's'}, ${hours.toFixed(2)} h; windows of ${windowSeconds} s every ${hopSeconds} s.`,
    '',
    row(['class', 'threshold', 'hits', '95 %', 'false alarms/h 95 %', 'delay']),
    ...quality.perClass.map((of) => row([of.class, of.threshold.toFixed(2), ...cells(of)])),
    row(['all, per class', '', ...cells(quality)]),
    '',
    `Nine of ten are told of within ${seconds(slowDelaySeconds)}; the onset that is told is ${seconds(medianOnsetErrorSeconds)} late (median); ` +
      `${quality.repeated} further reports of sounds that were found already.`,
    '',
    'Operating curves: threshold hits false alarms/h',
    ...quality.perClass.map(
      ({ class: name, curve }) =>
        `  ${name}: ${curve
          .filter((_, index) => index % 5 === 4)
          .map((at) => `${at.threshold.toFixed(1)} ${percent(at.hits)} ${at.falseAlarmsPerHour.toFixed(1)}`)
          .join(' · ')}`,
    ),
    '',
    'For start: {"events": {"thresholds": ' +
      `${JSON.stringify(Object.fromEntries(quality.perClass.map((of) => [of.class, of.threshold])))}}}`,
  ];
}

function cells(counts: Counts): string[] {
  const { lower, upper } = counts.falseAlarmInterval;
  return [
    `${counts.hits}/${counts.events}`,
    counts.hitInterval === null
      ? '–'
      : `${percent(counts.hits / counts.events)} (${interval(counts.hitInterval)})`,
    `${counts.falseAlarmsPerHour.toFixed(1)} (${lower.toFixed(1)}–${upper.toFixed(1)})`,
    seconds(counts.medianDelaySeconds),
  ];
}

function row(texts: readonly string[]): string {
  return texts
    .map((text, index) => text.padEnd(widths[index] ?? 0))
    .join(' ')
    .trimEnd();
}

function seconds(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(2)} s`;
}
