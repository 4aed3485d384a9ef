import {
  recordedKind,
  type Calibration,
  type CalibrationReport,
  type UnknownReport,
} from '../../../shared/contracts/calibration';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { fitTemperature } from '../../../shared/metrics/fit-temperature';
import { reliability } from '../../../shared/metrics/reliability';
import { roc } from '../../../shared/metrics/roc';
import type { ClipAnswers } from '../optimise/predict';

/**
 * What the unknown threshold is judged against: answers to sounds that are none of the classes, by kind.
 */
export type OtherSounds = Readonly<Record<string, ClipAnswers>>;

/**
 * Share of the validation clips that the threshold lets pass, and the least that it does for the sake of
 * rejecting more.
 */
const trueAcceptRate = 0.95;
const leastTrueAcceptRate = 0.9;
/** Share of the recordings of other things that may pass. */
const aimedFalseAcceptRate = 0.15;

/**
 * Temperature and threshold, without recordings of other things, on clips that the networks were not
 * trained on.
 */
export function fitCalibration(labels: readonly number[], known: ClipAnswers): Calibration {
  const temperature = fitTemperature(labels, known.logits);
  return { temperature, unknownBelow: thresholdOf(knownScores(known, temperature), []) };
}

/** Temperature and threshold of a version, on clips that its networks were not trained on. */
export function calibrate(
  labels: readonly number[],
  known: ClipAnswers,
  others: OtherSounds,
): CalibrationReport {
  const { logits } = known;
  const temperature = fitTemperature(labels, logits);
  const probabilities = (rows: ClipAnswers['logits'], t: number): Float32Array[] =>
    rows.map((inputs) => meanProbabilities(inputs, t));
  const scores = knownScores(known, temperature);
  const recordings = others[recordedKind];
  const recorded = recordings === undefined ? [] : knownScores(recordings, temperature);
  return {
    temperature,
    before: reliability(labels, probabilities(logits, 1)),
    after: reliability(labels, probabilities(logits, temperature)),
    unknown: rejectUnknown(scores, scoresByKind(others, temperature), thresholdOf(scores, recorded)),
  };
}

/**
 * The score that `trueAcceptRate` of the clips reach; where recordings of other things would pass too
 * often, a higher one, which `leastTrueAcceptRate` of the clips still reach.
 */
function thresholdOf(scores: readonly number[], recorded: readonly number[]): number {
  const usual = quantile(scores, 1 - trueAcceptRate);
  if (recorded.length === 0) return usual;
  const strict = quantile(scores, 1 - leastTrueAcceptRate);
  return Math.max(usual, Math.min(strict, quantile(recorded, 1 - aimedFalseAcceptRate)));
}

function quantile(values: readonly number[], share: number): number {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.floor(share * ordered.length)]!;
}

/**
 * What is held against the threshold: each clip's highest probability times the evidence for its class
 * (shared/decision/verdict.ts).
 */
export function knownScores({ logits, evidence }: ClipAnswers, temperature: number | undefined): number[] {
  return logits.map((rows, clip) => {
    const probabilities = meanProbabilities(rows, temperature);
    const probability = highest(probabilities);
    return probability * (evidence[clip]?.[probabilities.indexOf(probability)] ?? 1);
  });
}

function highest(row: Float32Array): number {
  return row.reduce((highest, value) => Math.max(highest, value), 0);
}

type ScoresByKind = readonly (readonly [kind: string, scores: readonly number[]])[];

export function scoresByKind(others: OtherSounds, temperature: number): ScoresByKind {
  return Object.entries(others).map(([kind, answers]) => [kind, knownScores(answers, temperature)]);
}

/** How well scores tell clips from other sounds, and what a threshold lets pass of each. */
export function rejectUnknown(
  known: readonly number[],
  others: ScoresByKind,
  threshold: number,
): UnknownReport {
  const accepted = (scores: readonly number[]): number =>
    scores.filter((score) => score >= threshold).length / scores.length;
  const all = others.flatMap(([, scores]) => scores);
  const positives = [...known.map(() => true), ...all.map(() => false)];
  return {
    threshold,
    trueAcceptRate: accepted(known),
    falseAcceptRate: accepted(all),
    auroc: roc(positives, [...known, ...all])!.auc,
    kinds: others.map(([kind, scores]) => ({
      kind,
      sounds: scores.length,
      falseAcceptRate: accepted(scores),
    })),
  };
}
