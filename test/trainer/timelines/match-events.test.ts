import { matchEvents, type ReportedEvent } from '../../../services/trainer/timelines/match-events';
import { joinEvents, type LabelledEvent } from '../../../services/trainer/timelines/timeline';
import { randomNumbers } from '../../support/signals';

const labelled = (label: number, onsetSeconds: number, offsetSeconds: number): LabelledEvent => ({
  label,
  onsetSeconds,
  offsetSeconds,
  recording: 'a',
});
const reported = (label: number, onsetSeconds: number): ReportedEvent => ({
  label,
  onsetSeconds,
  toldSeconds: onsetSeconds + 0.5,
});

function fits(event: LabelledEvent, report: ReportedEvent): boolean {
  const late = report.onsetSeconds - event.offsetSeconds;
  return event.label === report.label && report.onsetSeconds >= event.onsetSeconds - 0.5 && late <= 2;
}

/** The most pairs that there are, by trying them all. */
function mostPairs(events: readonly LabelledEvent[], reports: readonly ReportedEvent[]): number {
  const [first, ...rest] = events;
  if (first === undefined) return 0;
  const pairs = reports
    .filter((report) => fits(first, report))
    .map(
      (report) =>
        1 +
        mostPairs(
          rest,
          reports.filter((other) => other !== report),
        ),
    );
  return Math.max(mostPairs(rest, reports), ...pairs);
}

describe('matching reports with labels', () => {
  it('finds as many pairs as there are, on 300 random timelines; every report is one of three', () => {
    const random = randomNumbers(5);
    let hits = 0;
    for (let trial = 0; trial < 300; trial += 1) {
      const events = Array.from({ length: 5 }, () => {
        const onset = 12 * random();
        return labelled(Math.floor(2 * random()), onset, onset + 3 * random());
      });
      const reports = Array.from({ length: 5 }, () => reported(Math.floor(2 * random()), 14 * random()));
      const { outcomes, falseAlarms, repeated } = matchEvents(events, reports);
      const found = outcomes.filter(({ report }) => report !== undefined);
      expect(found).toHaveLength(mostPairs(events, reports));
      for (const { event, report } of found) expect(fits(event, report!)).toBe(true);
      expect(new Set(found.map(({ report }) => report)).size).toBe(found.length);
      expect(falseAlarms).toEqual(reports.filter((report) => !events.some((event) => fits(event, report))));
      expect(found.length + falseAlarms.length + repeated).toBe(reports.length);
      hits += found.length;
    }
    expect(hits).toBeGreaterThan(300);
  });

  it('takes a report for the label’s up to 2 s behind it, and for a false alarm later or of another class', () => {
    const dog = labelled(0, 10, 10.3);
    const outcome = (report: ReportedEvent): string => {
      const { outcomes, falseAlarms } = matchEvents([dog], [report]);
      return outcomes[0]!.report === undefined ? `false ${falseAlarms.length}` : 'hit';
    };
    expect([9.4, 9.6, 12.2, 12.4].map((onset) => outcome(reported(0, onset)))).toEqual([
      'false 1',
      'hit',
      'hit',
      'false 1',
    ]);
    expect(outcome(reported(1, 10))).toBe('false 1');
  });

  it('does not take one that lasts for ever for every sound', () => {
    const { outcomes } = matchEvents([labelled(0, 10, 11), labelled(0, 30, 31)], [reported(0, 10)]);
    expect(outcomes.map(({ report }) => report !== undefined)).toEqual([true, false]);
  });
});

it('joins labels of a class that no window tells apart, and no others', () => {
  const events = [
    labelled(0, 1, 2),
    labelled(1, 2.5, 3),
    labelled(0, 4, 5),
    labelled(0, 12, 13),
    labelled(1, 20, 21),
  ];
  expect(joinEvents(events, 6)).toEqual([
    labelled(0, 1, 5),
    labelled(1, 2.5, 3),
    labelled(0, 12, 13),
    labelled(1, 20, 21),
  ]);
});
