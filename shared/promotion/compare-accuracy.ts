import type { GateCheckResult } from '../contracts/lifecycle';
import type { Manifest } from '../contracts/manifest';
import { servedEvaluation, type ValidationProfile, type Report } from '../contracts/report';
import { mcnemarExact } from '../metrics/mcnemar';
import { wilsonInterval } from '../metrics/wilson-interval';

/** The files of a version that the gate compares. */
export interface GateSubject {
  readonly manifest: Manifest;
  readonly report: Report | undefined;
}

export type Measurement = Pick<GateCheckResult, 'outcome' | 'message' | 'figures'>;

/**
 * Checks that the candidate's validation accuracy is not lower than that of the served version. Where
 * both were validated on the same clips, these are compared by McNemar's exact test; otherwise Wilson's
 * intervals are compared.
 */
export function compareAccuracy(candidate: GateSubject, current: GateSubject): Measurement {
  return onSameClips(candidate, current) ?? onOtherClips(candidate, current);
}

function onSameClips(candidate: GateSubject, current: GateSubject): Measurement | undefined {
  const [first, second] = [candidate.report?.reference, current.report?.reference];
  const sameData = candidate.manifest.data.fingerprint === current.manifest.data.fingerprint;
  if (first === undefined || second === undefined || !sameData) return undefined;
  const [mine, theirs] = [rightByClip(first), rightByClip(second)];
  const common = [...mine.keys()].filter((clip) => theirs.has(clip));
  // All clips of one version must be common; a few common clips are no representative sample.
  if (common.length < Math.min(mine.size, theirs.size)) return undefined;
  const count = (wanted: (clip: string) => boolean | undefined): number =>
    common.filter((clip) => wanted(clip) === true).length;
  const onlyCandidate = count((clip) => mine.get(clip) === true && theirs.get(clip) === false);
  const onlyCurrent = count((clip) => mine.get(clip) === false && theirs.get(clip) === true);
  const candidateCorrect = count((clip) => mine.get(clip));
  const currentCorrect = count((clip) => theirs.get(clip));
  const p = mcnemarExact(onlyCandidate, onlyCurrent);
  return {
    outcome: candidateCorrect >= currentCorrect ? 'passed' : 'failed',
    message:
      `${candidateCorrect} of ${common.length} validation clips right, the current version ${currentCorrect} of the same; ` +
      `McNemar's exact test: ${onlyCandidate} to ${onlyCurrent} where they differ, p = ${p.toPrecision(3)}.`,
    figures: {
      test: 'mcnemar',
      clips: common.length,
      candidateCorrect,
      currentCorrect,
      onlyCandidate,
      onlyCurrent,
      p,
    },
  };
}

function rightByClip({ clips, labels, answers }: ValidationProfile): Map<string, boolean> {
  return new Map(clips.map((clip, index) => [clip, labels[index] === answers[index]]));
}

function onOtherClips(candidate: GateSubject, current: GateSubject): Measurement {
  const [mine, theirs] = [accuracyOf(candidate), accuracyOf(current)];
  return {
    outcome: mine.accuracy >= theirs.accuracy ? 'passed' : 'failed',
    message:
      `Validation accuracy ${percent(mine.accuracy)}, the current version's ${percent(theirs.accuracy)}; not the same clips, so ` +
      `Wilson's 95 % intervals: ${range(mine)} and ${range(theirs)}.`,
    figures: {
      test: 'wilson',
      candidateAccuracy: mine.accuracy,
      currentAccuracy: theirs.accuracy,
      ...(mine.interval && { candidateLower: mine.interval.lower, candidateUpper: mine.interval.upper }),
      ...(theirs.interval && { currentLower: theirs.interval.lower, currentUpper: theirs.interval.upper }),
    },
  };
}

interface Accuracy {
  readonly accuracy: number;
  /** Undefined without a report, because the number of clips is unknown then. */
  readonly interval: { readonly lower: number; readonly upper: number } | undefined;
}

function accuracyOf({ manifest, report }: GateSubject): Accuracy {
  const judged = report && servedEvaluation(report).validation;
  return {
    accuracy: judged?.accuracy ?? manifest.metrics.validationAccuracy,
    interval: judged && wilsonInterval(judged.correct, judged.clips),
  };
}

function range({ interval }: Accuracy): string {
  return interval === undefined ? 'unknown' : `${percent(interval.lower)} to ${percent(interval.upper)}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}
