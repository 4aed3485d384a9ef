import type { GateCheck, GateDecision } from '../../shared/contracts/lifecycle';
import type { ValidationProfile, Report } from '../../shared/contracts/report';
import { decideGate, type GateInput, type Measured } from '../../shared/promotion/gate';
import { evaluateClassifier } from '../../shared/metrics/evaluate-classifier';
import { manifest } from '../support/fake-inference';
import { sampleReport } from '../support/sample-report';

const classes = ['bark', 'rain'];

/** Ten clips of each of two classes; `wrong` of each are taken for the other. */
function reportOf(wrong: readonly [bark: number, rain: number]): Report {
  const labels = [0, 1].flatMap((label) => new Array<number>(10).fill(label));
  const answers = [0, 1].flatMap((label) =>
    Array.from({ length: 10 }, (_, clip) => (clip < wrong[label]! ? 1 - label : label)),
  );
  const probabilities = answers.map((answer) =>
    Float32Array.from([0, 1], (_, i) => (i === answer ? 0.9 : 0.1)),
  );
  const { evaluations, ...rest } = sampleReport(classes);
  const validation = evaluateClassifier({ labels, probabilities, classes });
  return { ...rest, evaluations: { last: { ...evaluations.last, validation } } };
}

function judgedOn(report: Report, names: readonly string[], answers: readonly number[]): Report {
  const reference: ValidationProfile = {
    clips: names.map((name) => name.padStart(12, '0')),
    labels: names.map(() => 0),
    answers: [...answers],
    confidence: [],
    levels: [],
  };
  return { ...report, reference };
}

const fine: Measured = {
  engine: 'test',
  parity: { clips: 4, largestDifference: 1e-6 },
  windowMs: 12,
  currentWindowMs: undefined,
};

function subject(report: Report | undefined, version: string, ofClasses = classes): GateInput['candidate'] {
  return { manifest: { ...manifest, version, classes: ofClasses }, report };
}

function decide(changes: Partial<GateInput> = {}): GateDecision {
  return decideGate({
    candidate: subject(reportOf([2, 2]), 'new'),
    current: subject(reportOf([2, 2]), 'old'),
    measured: fine,
    waive: [],
    by: 'a test',
    decidedAt: new Date('2026-02-03T04:05:06Z'),
    ...changes,
  });
}

function failed({ checks }: GateDecision): GateCheck[] {
  return checks.filter(({ outcome }) => outcome !== 'passed').map(({ check }) => check);
}

function figuresOf({ checks }: GateDecision, wanted: GateCheck): Record<string, unknown> {
  return checks.find(({ check }) => check === wanted)!.figures;
}

describe('the gate', () => {
  it('lets a version through that is as good as the one that serves, and says by what figures', () => {
    const decision = decide();
    expect(decision).toMatchObject({ version: 'new', against: 'old', passed: true, by: 'a test' });
    expect(decision.checks.map(({ check }) => check)).toEqual([
      'classes',
      'accuracy',
      'recall',
      'events',
      'parity',
      'latency',
    ]);
    expect(failed(decision)).toEqual([]);
    expect(figuresOf(decision, 'latency')).toEqual({ windowMs: 12, budgetMs: 100 });
    expect(figuresOf(decision, 'parity')).toEqual({ clips: 4, largestDifference: 1e-6, tolerance: 0.01 });
  });

  it('has nothing to compare with where nothing else could serve', () => {
    const decision = decide({ current: undefined });
    expect(decision).toMatchObject({ passed: true, against: null });
  });

  it('refuses other classes unless that is meant', () => {
    const candidate = subject(reportOf([2, 2]), 'new', ['bark', 'snow']);
    const decision = decide({ candidate });
    expect(decision.passed).toBe(false);
    expect(failed(decision)).toEqual(['classes']);
    expect(figuresOf(decision, 'classes')).toMatchObject({ missing: ['rain'], added: ['snow'] });
    expect(decide({ candidate, waive: ['classes'] }).passed).toBe(true);
  });

  it('takes the same classes in another order for the same', () => {
    expect(decide({ candidate: subject(reportOf([2, 2]), 'new', ['rain', 'bark']) }).passed).toBe(true);
  });

  it('refuses fewer right on other clips, with Wilson’s intervals', () => {
    // 15 of 20 against 16 of 20. Intervals by hand: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) ÷ (1 + z²/n), z
    // = 1.96.
    const decision = decide({ candidate: subject(reportOf([2, 3]), 'new') });
    expect(failed(decision)).toEqual(['accuracy']);
    const figures = figuresOf(decision, 'accuracy');
    expect(figures).toMatchObject({ test: 'wilson', candidateAccuracy: 0.75, currentAccuracy: 0.8 });
    expect(figures['candidateLower']).toBeCloseTo(0.5313, 4);
    expect(figures['candidateUpper']).toBeCloseTo(0.8881, 4);
    expect(figures['currentLower']).toBeCloseTo(0.584, 4);
    expect(figures['currentUpper']).toBeCloseTo(0.9193, 4);
    expect(decide({ candidate: subject(reportOf([2, 3]), 'new'), waive: ['accuracy'] }).passed).toBe(true);
  });

  it('compares clip by clip where both were judged on the same, with McNemar’s test', () => {
    // Of six clips the candidate alone gets c right, the current one alone a and b: 4 against 3 right.
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const candidate = subject(judgedOn(reportOf([2, 2]), names, [1, 1, 0, 0, 0, 1]), 'new');
    const current = subject(judgedOn(reportOf([2, 2]), [...names, 'g'], [0, 0, 1, 0, 0, 1, 1]), 'old');
    const decision = decide({ candidate, current });
    expect(failed(decision)).toEqual(['accuracy']);
    expect(figuresOf(decision, 'accuracy')).toEqual({
      test: 'mcnemar',
      clips: 6,
      candidateCorrect: 3,
      currentCorrect: 4,
      onlyCandidate: 1,
      onlyCurrent: 2,
      p: 1,
    });
    expect(decide({ candidate: { ...candidate, ...current }, current: candidate }).passed).toBe(true);
  });

  it.each([
    ['of other data', { data: { clips: 1, fingerprint: 'e'.repeat(64) } }, ['a', 'b']],
    ['of which only some are shared', {}, ['a', 'z']],
  ])('does not compare clips %s', (_, changes, names) => {
    const candidate = subject(judgedOn(reportOf([2, 2]), ['a', 'b'], [1, 1]), 'new');
    const current = subject(judgedOn(reportOf([2, 2]), names, [0, 0]), 'old');
    const other = { ...candidate, manifest: { ...candidate.manifest, ...changes } };
    expect(figuresOf(decide({ candidate: other, current }), 'accuracy')).toMatchObject({ test: 'wilson' });
  });

  it('refuses a class that is found less than half the time, unless the current version finds it less often', () => {
    // Rain: 4 of 10, where the current version finds 9; both get 14 of 20.
    const candidate = subject(reportOf([0, 6]), 'new');
    const decision = decide({ candidate, current: subject(reportOf([5, 1]), 'old') });
    expect(failed(decision)).toEqual(['recall']);
    expect(figuresOf(decision, 'recall')).toEqual({
      floor: 0.5,
      lowest: 0.4,
      worst: 'rain',
      below: ['rain'],
    });
    expect(decide({ candidate, current: subject(reportOf([1, 7]), 'old') }).passed).toBe(true);
  });

  it('refuses what has no report, unless that is waived', () => {
    const candidate = subject(undefined, 'new');
    const current = { ...subject(undefined, 'old') };
    const decision = decide({ candidate, current });
    expect(decision.passed).toBe(false);
    expect(decision.checks.find(({ check }) => check === 'recall')?.outcome).toBe('not-measured');
    expect(decide({ candidate, current, waive: ['recall'] }).passed).toBe(true);
  });

  it('refuses what the service computes otherwise than the trainer did, and lets nobody waive it', () => {
    const measured = { ...fine, parity: { clips: 4, largestDifference: 0.011 } };
    expect(failed(decide({ measured }))).toEqual(['parity']);
    expect(decide({ measured, waive: ['parity'] }).passed).toBe(false);
    expect(decide({ measured: { ...fine, parity: { clips: 4, largestDifference: 0.009 } } }).passed).toBe(
      true,
    );
  });

  it('refuses what has no golden probabilities, unless that is waived', () => {
    const measured = { ...fine, parity: undefined };
    expect(failed(decide({ measured }))).toEqual(['parity']);
    expect(decide({ measured, waive: ['parity'] }).passed).toBe(true);
  });

  it.each([
    [101, undefined, false],
    [101, 50.4, false],
    [101, 50.6, true],
    [99, undefined, true],
  ])(
    'has a window of %d ms beside %p ms for the current version: %p',
    (windowMs, currentWindowMs, passed) => {
      const decision = decide({ measured: { ...fine, windowMs, currentWindowMs } });
      expect(decision.passed).toBe(passed);
      expect(failed(decision)).toEqual(passed ? [] : ['latency']);
    },
  );
});

describe('the events of two versions', () => {
  /** Of 100 events, with an interval of ten points around the hits and of two around three false alarms. */
  const withEvents = (hits: number, falseAlarmsPerHour: number, fingerprint = 'a'): Report => ({
    ...reportOf([2, 2]),
    events: {
      fingerprint: fingerprint.repeat(64),
      timelines: 1,
      hours: 1,
      windowSeconds: 5,
      hopSeconds: 0.5,
      events: 100,
      hits,
      hitInterval: { lower: hits / 100 - 0.05, upper: hits / 100 + 0.05 },
      falseAlarms: 2 * falseAlarmsPerHour,
      falseAlarmsPerHour,
      falseAlarmInterval: { lower: falseAlarmsPerHour - 1, upper: falseAlarmsPerHour + 1 },
      medianDelaySeconds: 1,
      slowDelaySeconds: 2,
      medianOnsetErrorSeconds: 0,
      repeated: 0,
      perClass: [],
    },
  });
  const against = (candidate: Report): GateDecision =>
    decide({ candidate: subject(candidate, 'new'), current: subject(withEvents(80, 3), 'old') });

  it('count where the candidate finds fewer, or gives more false alarms, than chance explains', () => {
    expect(failed(against(withEvents(76, 3.9)))).toEqual([]);
    expect(failed(against(withEvents(74, 3)))).toEqual(['events']);
    expect(failed(against(withEvents(80, 4.1)))).toEqual(['events']);
    expect(figuresOf(against(withEvents(74, 3)), 'events')).toEqual({
      hitRate: 0.74,
      fewestHits: 0.75,
      falseAlarmsPerHour: 3,
      mostFalseAlarms: 4,
    });
  });

  it('do not count where they were judged on other timelines, or one was not judged', () => {
    expect(failed(against(withEvents(10, 9, 'b')))).toEqual([]);
    expect(failed(against(reportOf([2, 2])))).toEqual([]);
  });
});
