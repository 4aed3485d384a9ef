import { EventDetector, type EventChange } from '../../shared/decision/event-detector';
import {
  assertThresholdsFit,
  detectorFor,
  eventClasses,
  scoresForEvents,
} from '../../shared/decision/event-scores';
import { followRamp } from '../../shared/decision/smoothing';
import { eventRuleSchema, type EventRule } from '../../shared/contracts/stream';
import { randomNumbers } from '../support/signals';

const rule = (overrides: Partial<EventRule> = {}): EventRule => eventRuleSchema.parse(overrides);

/** A probability over time as straight lines between corners [seconds, probability]. */
type Corners = readonly (readonly [number, number])[];

function valueAt(corners: Corners, seconds: number): number {
  const after = corners.findIndex(([at]) => at >= seconds);
  if (after === 0) return corners[0]![1];
  if (after < 0) return corners.at(-1)![1];
  const [[t0, p0], [t1, p1]] = [corners[after - 1]!, corners[after]!];
  return p0 + ((p1 - p0) * (seconds - t0)) / (t1 - t0);
}

/** What the detector tells of one class whose probability is judged every `hop` seconds. */
function detect(corners: Corners, hop: number, end: number, events: EventRule): EventChange[] {
  const detector = detectorFor(events, { classes: ['dog'] });
  const changes: EventChange[] = [];
  for (let k = 1; k * hop <= end + 1e-9; k += 1) {
    changes.push(...detector.push(k * hop, [valueAt(corners, k * hop)]));
  }
  return [...changes, ...detector.finish(end)];
}

function thresholdsOf({ onThreshold = 0.5, offThreshold = 0.6 * onThreshold }: EventRule): [number, number] {
  return [onThreshold, offThreshold];
}

/**
 * The rule, straight from its words, on a signal smoothed by tiny steps: [onset, offset] of each event.
 */
function naiveEvents(corners: Corners, end: number, events: EventRule): [number, number][] {
  const step = 1e-3;
  const { smoothingSeconds: tau, mergeGapSeconds, minDurationSeconds } = events;
  const [onThreshold, offThreshold] = thresholdsOf(events);
  const raw: [number, number][] = [];
  let smoothed = 0;
  let open = false;
  for (let k = 1; k * step <= end; k += 1) {
    const input = valueAt(corners, (k - 0.5) * step);
    smoothed = tau === 0 ? input : smoothed + (input - smoothed) * (1 - Math.exp(-step / tau));
    if (!open && smoothed >= onThreshold) raw.push([k * step, end]);
    if (open && smoothed < offThreshold) raw.at(-1)![1] = k * step;
    open = open ? smoothed >= offThreshold : smoothed >= onThreshold;
  }
  const merged: [number, number][] = [];
  for (const [onset, offset] of raw) {
    const last = merged.at(-1);
    if (last !== undefined && onset - last[1] <= mergeGapSeconds) last[1] = offset;
    else merged.push([onset, offset]);
  }
  return merged.filter(([onset, offset]) => offset - onset >= minDurationSeconds);
}

const spans = (changes: readonly EventChange[]): [number, number][] =>
  changes
    .filter(({ event }) => event === 'ended')
    .map(({ onsetSeconds, offsetSeconds }) => [onsetSeconds, offsetSeconds!]);

function expectSpans(
  got: readonly [number, number][],
  wanted: readonly [number, number][],
  within: number,
): void {
  expect(got.map((span) => span.length)).toEqual(wanted.map(() => 2));
  got.forEach(([onset, offset], index) => {
    expect(Math.abs(onset - wanted[index]![0])).toBeLessThan(within);
    expect(Math.abs(offset - wanted[index]![1])).toBeLessThan(within);
  });
}

describe('followRamp', () => {
  it('is the low-pass of a line: agrees with the differential equation solved by small steps', () => {
    const random = randomNumbers(3);
    for (let trial = 0; trial < 50; trial += 1) {
      const [value, from, to, span, tau] = [random(), random(), random(), 0.1 + random(), 0.05 + random()];
      const steps = 20_000;
      let s = value;
      for (let k = 0; k < steps; k += 1) {
        const p = from + ((to - from) * (k + 0.5)) / steps;
        s += (p - s) * (1 - Math.exp(-span / steps / tau));
      }
      expect(Math.abs(followRamp(value, from, to, span, tau).pieces.at(-1)!.endValue - s)).toBeLessThan(1e-6);
    }
  });

  it('passes the input through without a time constant', () => {
    const [piece] = followRamp(0.9, 0.2, 0.6, 2, 0).pieces;
    expect([piece!.startValue, piece!.endValue]).toEqual([0.2, 0.6]);
  });
});

describe('the event detector', () => {
  it('tells of one sound once: when it is sure, and when it is over', () => {
    const changes = detect(
      [
        [2, 0],
        [3, 1],
        [6, 1],
        [7, 0],
      ],
      0.5,
      12,
      rule({ smoothingSeconds: 0 }),
    );
    expect(changes.map(({ event, eventId, label }) => [event, eventId, label])).toEqual([
      ['started', 1, 'dog'],
      ['ended', 1, 'dog'],
    ]);
    // Worked by hand: the line passes 0.5 at 2.5 s and falls to 0.3 at 6.7 s.
    expect(changes[0]).toMatchObject({ onsetSeconds: 2.5, offsetSeconds: null });
    expect(changes[1]!.offsetSeconds).toBeCloseTo(6.7, 9);
    expect(changes[1]!.peakConfidence).toBe(1);
  });

  it.each([[0.1], [0.25], [0.5], [1]])(
    'finds the same events at the same times with a hop of %f s',
    (hop) => {
      // Corners on a grid of 1 s, so that every hop sees the same sound.
      const corners: Corners = [
        [1, 0.05],
        [3, 0.9],
        [5, 0.9],
        [6, 0.1],
        [7, 0.8],
        [9, 0.7],
        [11, 0],
        [15, 0.45],
        [16, 0],
        [18, 1],
        [19, 0],
        [25, 0],
      ];
      for (const events of [
        rule(),
        rule({ smoothingSeconds: 2, mergeGapSeconds: 0 }),
        rule({ smoothingSeconds: 0, minDurationSeconds: 2 }),
      ]) {
        const wanted = naiveEvents(corners, 25, events);
        expect(wanted.length).toBeGreaterThan(0);
        expectSpans(spans(detect(corners, hop, 25, events)), wanted, 0.003);
      }
    },
  );

  it('agrees with the rule’s words on 60 random signals, rules and hops', () => {
    const random = randomNumbers(11);
    let found = 0;
    for (let trial = 0; trial < 60; trial += 1) {
      const corners: Corners = Array.from({ length: 21 }, (_, k) => [k + 1, random() < 0.4 ? 0 : random()]);
      const off = 0.2 + 0.3 * random();
      const events = rule({
        onThreshold: off + 0.3 * random(),
        offThreshold: off,
        smoothingSeconds: trial % 3 === 0 ? 0 : random(),
        minDurationSeconds: 2 * random(),
        mergeGapSeconds: 2 * random(),
      });
      const wanted = naiveEvents(corners, 21, events);
      const got = spans(detect(corners, [0.125, 0.25, 0.5, 1][trial % 4]!, 21, events));
      // What lies within a step of a limit may fall on either side of it.
      const sure = naiveEvents(corners, 21, {
        ...events,
        mergeGapSeconds: events.mergeGapSeconds + 0.005,
        minDurationSeconds: events.minDurationSeconds - 0.005,
      });
      if (sure.length !== wanted.length) continue;
      expectSpans(got, wanted, 0.005);
      found += wanted.length;
    }
    expect(found).toBeGreaterThan(100);
  });

  it('takes a sound with a short pause for one event and one with a long pause for two', () => {
    const pause = (seconds: number): Corners => [
      [1, 1],
      [4, 1],
      [4.01, 0],
      [4.01 + seconds, 0],
      [4.02 + seconds, 1],
      [8, 1],
      [8.01, 0],
    ];
    const events = rule({ smoothingSeconds: 0, mergeGapSeconds: 1 });
    expect(spans(detect(pause(0.9), 0.01, 12, events))).toHaveLength(1);
    expect(spans(detect(pause(1.1), 0.01, 12, events))).toHaveLength(2);
  });

  it('says nothing of a sound shorter than the least duration', () => {
    const blip: Corners = [
      [2, 0],
      [2.01, 1],
      [2.4, 1],
      [2.41, 0],
    ];
    const events = rule({ smoothingSeconds: 0, minDurationSeconds: 0.5 });
    expect(detect(blip, 0.01, 6, events)).toEqual([]);
    expect(detect(blip, 0.01, 6, rule({ ...events, minDurationSeconds: 0.3 }))).toHaveLength(2);
  });

  it('smooths away a single high value between low ones', () => {
    const spike: Corners = [
      [3.9, 0],
      [4, 1],
      [4.1, 0],
    ];
    expect(detect(spike, 0.1, 8, rule({ minDurationSeconds: 0, smoothingSeconds: 1 }))).toEqual([]);
    expect(detect(spike, 0.1, 8, rule({ minDurationSeconds: 0, smoothingSeconds: 0 }))).toHaveLength(2);
  });

  it('ends what lasts when the stream does', () => {
    const changes = detect([[1, 1]], 0.5, 4, rule());
    expect(changes.map(({ event, offsetSeconds }) => [event, offsetSeconds])).toEqual([
      ['started', null],
      ['ended', 4],
    ]);
  });

  it('keeps classes apart', () => {
    const detector = detectorFor(rule({ smoothingSeconds: 0, mergeGapSeconds: 0 }), {
      classes: ['dog', 'rain'],
    });
    const changes = [
      [0, 1],
      [0, 1],
      [1, 0],
      [1, 0],
      [0, 0],
      [0, 0],
    ].flatMap((scores, k) => detector.push(k + 1, scores));
    expect(changes.map(({ event, eventId, label }) => `${event} ${eventId} ${label}`)).toEqual([
      'started 1 rain',
      'started 2 dog',
      'ended 1 rain',
      'ended 2 dog',
    ]);
  });

  it('refuses time that stands still and scores of another length', () => {
    const detector = detectorFor(rule(), { classes: ['dog'] });
    detector.push(1, [0]);
    expect(() => detector.push(1, [0])).toThrow('after 1 s');
    expect(() => detector.push(2, [0, 1])).toThrow('Expected 1 scores');
  });

  it('starts and ends each class at thresholds of its own', () => {
    const classes = [
      { label: 'chainsaw', onThreshold: 0.1, offThreshold: 0.06 },
      { label: 'speech', onThreshold: 0.8, offThreshold: 0.48 },
    ];
    const detector = new EventDetector(rule({ smoothingSeconds: 0 }), classes);
    // 0.2 is much for the one and little for the other; 0.7 begins nothing of the other, but keeps what
    // began at 0.9.
    const steps = [
      [0.2, 0.2],
      [0.2, 0.7],
      [0.2, 0.9],
      [0.2, 0.7],
      [0.05, 0.4],
    ];
    const changes = steps.flatMap((row, index) => detector.push(index + 1, row));
    const told = [...changes, ...detector.finish(6)].map(({ event, label }) => `${label} ${event}`);
    expect(told).toEqual(['chainsaw started', 'speech started', 'chainsaw ended', 'speech ended']);
    const lasting = [...changes, ...detector.finish(6)].find(
      ({ label, event }) => label === 'speech' && event === 'started',
    )!;
    expect(lasting.onsetSeconds).toBeGreaterThan(2);
  });
});

describe('the thresholds of events', () => {
  const classes = ['dog', 'rain', 'saw'];
  const ons = (events: Partial<EventRule>, manifest: Partial<Parameters<typeof eventClasses>[1]>): number[] =>
    eventClasses(rule(events), { classes, ...manifest }).map(({ onThreshold }) => onThreshold);
  const calibration = { temperature: 1, unknownBelow: 0.7 };
  const events = { thresholds: [0.4, 0.6, 0.8], falseAlarmsPerHour: 1 };

  it('are the client’s for a class, else for all, else the published ones, else the calibration’s', () => {
    expect(ons({ thresholds: { rain: 0.9 }, onThreshold: 0.3 }, { calibration, events })).toEqual([
      0.3, 0.9, 0.3,
    ]);
    expect(ons({ thresholds: { rain: 0.9 } }, { calibration, events })).toEqual([0.4, 0.9, 0.8]);
    expect(ons({}, { calibration })).toEqual([0.7, 0.7, 0.7]);
    expect(ons({}, { calibration: { ...calibration, unknownBelow: 0.2 } })).toEqual([0.5, 0.5, 0.5]);
    expect(ons({}, {})).toEqual([0.5, 0.5, 0.5]);
    expect(ons({}, { calibration: { ...calibration, thresholds: [0.1, 0.2, 0.3] } })).toEqual([
      0.1, 0.2, 0.3,
    ]);
  });

  it('end a sound at 0.6 of where it starts, or where the client says, never above that', () => {
    const offs = (client: Partial<EventRule>): number[] =>
      eventClasses(rule(client), { classes, events }).map(({ offThreshold }) => offThreshold);
    expect(offs({})).toEqual([0.6 * 0.4, 0.6 * 0.6, 0.6 * 0.8]);
    expect(offs({ offThreshold: 0.5 })).toEqual([0.4, 0.5, 0.5]);
  });

  it('are refused where the model does not have the class', () => {
    expect(() => {
      assertThresholdsFit(rule({ thresholds: { dog: 0.5, cow: 0.5 } }), { classes });
    }).toThrow('no class cow; its classes are dog, rain, saw');
    // A name that every object has is no class either.
    expect(() => {
      assertThresholdsFit(rule({ thresholds: { toString: 0.5 } }), { classes });
    }).toThrow('no class toString');
    expect(ons({}, {})).toHaveLength(3);
  });

  it('are held against the probability times the evidence; silence scores 0', () => {
    const window = { probabilities: [0.5, 0.25, 0.25], evidence: [0.5, 1, 0], loudestDecibels: -20 };
    expect([...scoresForEvents({ classes }, window)]).toEqual([0.25, 0.25, 0]);
    expect([...scoresForEvents({ classes }, { ...window, evidence: undefined })]).toEqual([0.5, 0.25, 0.25]);
    expect([...scoresForEvents({ classes }, { ...window, loudestDecibels: -90 })]).toEqual([0, 0, 0]);
    expect([...scoresForEvents({ classes }, undefined)]).toEqual([0, 0, 0]);
  });
});
