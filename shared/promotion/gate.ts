import { gateChecks, type GateCheck, type GateCheckResult, type GateDecision } from '../contracts/lifecycle';
import { servedEvaluation } from '../contracts/report';
import { compareAccuracy, type GateSubject, type Measurement } from './compare-accuracy';

/** What was measured of the candidate on the engine that would serve it. */
export interface Measured {
  readonly engine: string;
  /** Undefined: it has no golden probabilities. */
  readonly parity: Parity | undefined;
  /** Median time of one window, and of the version that serves where that was measured. */
  readonly windowMs: number;
  readonly currentWindowMs: number | undefined;
}

export interface Parity {
  readonly clips: number;
  /** Largest |probability difference| to what the trainer stored. */
  readonly largestDifference: number;
}

export interface GateInput {
  readonly candidate: GateSubject;
  /** Undefined: nothing else could serve. */
  readonly current: GateSubject | undefined;
  readonly measured: Measured;
  /** Checks that do not count; a measured difference in parity always does. */
  readonly waive: readonly GateCheck[];
  readonly by: string;
  readonly decidedAt: Date;
}

export const gateLimits = {
  /** Share of a class's validation clips that must be found; of a class that the current version finds less often, as often. */
  recallFloor: 0.5,
  /**
   * Engines round differently: those measured differ by less than 1e-6, CUDA’s TF32 keeps 10 bits. A wrong front end or a wrong order
   * of classes is far further off.
   */
  parityTolerance: 0.01,
  /** For one window: a stream wants one each half second, and others want theirs. */
  latencyBudgetMs: 100,
  /** A slower machine: … or no more than so many times what the current version takes. */
  latencyFactor: 2,
} as const;

/** Decides whether a version may serve. Pure: every figure it decides on is in `input`, and in the decision. */
export function decideGate(input: GateInput): GateDecision {
  const { candidate, current, measured, waive, by, decidedAt } = input;
  const measurements: Record<GateCheck, Measurement> = {
    classes: checkClasses(input),
    accuracy: checkAccuracy(input),
    recall: checkRecall(input),
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

/** Of the classes that validation clips are of. */
function recallsOf({ report }: GateSubject): Map<string, number> | undefined {
  const judged = report && servedEvaluation(report).validation.perClass;
  const seen = judged?.filter(({ support }) => support > 0);
  return seen && seen.length > 0 ? new Map(seen.map((row) => [row.class, row.recall])) : undefined;
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
