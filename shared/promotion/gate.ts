import { gateChecks, type GateCheck, type GateCheckResult, type GateDecision } from '../contracts/lifecycle';
import { servedEvaluation } from '../contracts/report';
import { compareAccuracy, type GateSubject, type Measurement } from './compare-accuracy';

/** Measurements of the candidate on the engine that would serve it. */
export interface Measured {
  readonly engine: string;
  /** Undefined for a version without golden probabilities. */
  readonly parity: Parity | undefined;
  /**
   * Median duration of one window in milliseconds, and that of the served version where it was measured.
   */
  readonly windowMs: number;
  readonly currentWindowMs: number | undefined;
  /** The time of each window of a batch, where one was asked for. */
  readonly batchWindowMs?: number | undefined;
}

export interface Parity {
  readonly clips: number;
  /** Largest absolute difference to the probabilities that the trainer stored. */
  readonly largestDifference: number;
}

export interface GateInput {
  readonly candidate: GateSubject;
  /** Undefined where no other version can be served. */
  readonly current: GateSubject | undefined;
  readonly measured: Measured;
  /** Checks that are waived; a measured difference in parity cannot be. */
  readonly waive: readonly GateCheck[];
  readonly by: string;
  readonly decidedAt: Date;
}

export const gateLimits = {
  /**
   * Minimum recall of each class on the validation clips; lower for a class of which the served version
   * has a lower recall.
   */
  recallFloor: 0.5,
  /**
   * Tolerance for rounding. Engines differ by less than 1e-6, but CUDA’s TF32 keeps only 10 bits. A
   * wrong front end or order of classes gives much larger differences.
   */
  parityTolerance: 0.01,
  /** Limit for one window. A stream needs one every half second, and the engine serves others too. */
  latencyBudgetMs: 100,
  /** The limit on a slower machine is this many times the duration of the served version. */
  latencyFactor: 2,
} as const;

/**
 * Decides whether a version may be served. It is pure: all figures are in `input` and returned in the
 * decision.
 */
export function decideGate(input: GateInput): GateDecision {
  const { candidate, current, measured, waive, by, decidedAt } = input;
  const measurements: Record<GateCheck, Measurement> = {
    classes: checkClasses(input),
    accuracy: checkAccuracy(input),
    recall: checkRecall(input),
    events: checkEvents(input),
    parity: checkParity(measured.parity),
    latency: checkLatency(measured),
  };
  const checks = gateChecks.map((check): GateCheckResult => {
    const measurement = measurements[check];
    const isFault = check === 'parity' && measurement.outcome === 'failed';
    const waived = measurement.outcome !== 'passed' && waive.includes(check) && !isFault;
    return { check, waived, ...measurement };
  });
  return {
    version: candidate.manifest.version,
    against: current?.manifest.version ?? null,
    decidedAt: decidedAt.toISOString(),
    by,
    engine: measured.engine,
    passed: checks.every(({ outcome, waived }) => outcome === 'passed' || waived),
    checks,
  };
}

const nothingServes: Measurement = { outcome: 'passed', message: 'There is no other version.', figures: {} };

function checkClasses({ candidate, current }: GateInput): Measurement {
  if (current === undefined) return nothingServes;
  const [mine, theirs] = [candidate.manifest.classes, current.manifest.classes];
  const missing = theirs.filter((name) => !mine.includes(name));
  const added = mine.filter((name) => !theirs.includes(name));
  if (missing.length === 0 && added.length === 0) {
    return {
      outcome: 'passed',
      message: `The same ${mine.length} classes.`,
      figures: { classes: mine.length },
    };
  }
  const lists = [
    missing.length > 0 && `without ${missing.join(', ')}`,
    added.length > 0 && `new: ${added.join(', ')}`,
  ];
  return {
    outcome: 'failed',
    message: `Other classes than the current version's (${lists.filter(Boolean).join('; ')}): waive \`classes\` if that is meant.`,
    figures: { classes: mine.length, missing, added },
  };
}

function checkAccuracy({ candidate, current }: GateInput): Measurement {
  return current === undefined ? nothingServes : compareAccuracy(candidate, current);
}

function checkRecall({ candidate, current }: GateInput): Measurement {
  const recalls = recallsOf(candidate);
  if (recalls === undefined) {
    return { outcome: 'not-measured', message: 'Its report.json says nothing of its classes.', figures: {} };
  }
  const theirs = (current && recallsOf(current)) ?? new Map<string, number>();
  const floorOf = (name: string): number => Math.min(gateLimits.recallFloor, theirs.get(name) ?? 1);
  const below = [...recalls].filter(([name, recall]) => recall < floorOf(name));
  const [worst, lowest] = [...recalls].reduce((least, next) => (next[1] < least[1] ? next : least));
  const figures = { floor: gateLimits.recallFloor, lowest, worst, below: below.map(([name]) => name) };
  if (below.length === 0) {
    return { outcome: 'passed', message: `The least found class is ${worst}: ${share(lowest)}.`, figures };
  }
  const named = below.map(([name, recall]) => `${name} ${share(recall)} of at least ${share(floorOf(name))}`);
  return { outcome: 'failed', message: `Too seldom found: ${named.join(', ')}.`, figures };
}

/** Returns the recall of each class with validation clips. */
function recallsOf({ report }: GateSubject): Map<string, number> | undefined {
  const judged = report && servedEvaluation(report).validation.perClass;
  const seen = judged?.filter(({ support }) => support > 0);
  return seen && seen.length > 0 ? new Map(seen.map((row) => [row.class, row.recall])) : undefined;
}

/**
 * Compares events on labelled timelines, where both versions were judged on the same ones. A difference
 * that chance makes does not count: the candidate fails outside the current version's interval.
 */
function checkEvents({ candidate, current }: GateInput): Measurement {
  if (current === undefined) return nothingServes;
  const [mine, theirs] = [candidate.report?.events, current.report?.events];
  if (mine === undefined || theirs?.fingerprint !== mine.fingerprint) {
    const message = 'Not compared: both versions were not judged on the same timelines.';
    return { outcome: 'passed', message, figures: {} };
  }
  const hitRate = mine.hits / Math.max(1, mine.events);
  const fewestHits = theirs.hitInterval?.lower ?? 0;
  const { falseAlarmsPerHour } = mine;
  const mostFalseAlarms = theirs.falseAlarmInterval.upper;
  const isWorse = hitRate < fewestHits || falseAlarmsPerHour > mostFalseAlarms;
  return {
    outcome: isWorse ? 'failed' : 'passed',
    message:
      `${share(hitRate)} of the events are found, of at least ${share(fewestHits)}, with ${falseAlarmsPerHour.toFixed(1)} false ` +
      `alarms an hour of a class, of at most ${mostFalseAlarms.toFixed(1)}.`,
    figures: { hitRate, fewestHits, falseAlarmsPerHour, mostFalseAlarms },
  };
}

function checkParity(parity: Parity | undefined): Measurement {
  if (parity === undefined) {
    const message = 'It was published without golden probabilities: nobody knows what its trainer computed.';
    return { outcome: 'not-measured', message, figures: {} };
  }
  const { clips, largestDifference } = parity;
  const tolerance = gateLimits.parityTolerance;
  return {
    outcome: largestDifference <= tolerance ? 'passed' : 'failed',
    message: `On ${clips} golden clips the probabilities differ from the trainer's by at most ${largestDifference.toPrecision(3)}; ${tolerance} is allowed.`,
    figures: { clips, largestDifference, tolerance },
  };
}

function checkLatency({ windowMs, currentWindowMs }: Measured): Measurement {
  const { latencyBudgetMs, latencyFactor } = gateLimits;
  const budgetMs = Math.max(latencyBudgetMs, latencyFactor * (currentWindowMs ?? 0));
  const beside =
    currentWindowMs === undefined ? '' : `, the current version ${currentWindowMs.toFixed(1)} ms`;
  return {
    outcome: windowMs <= budgetMs ? 'passed' : 'failed',
    message: `A window takes ${windowMs.toFixed(1)} ms${beside}; ${budgetMs.toFixed(1)} ms are allowed.`,
    figures: { windowMs, budgetMs, ...(currentWindowMs === undefined ? {} : { currentWindowMs }) },
  };
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
