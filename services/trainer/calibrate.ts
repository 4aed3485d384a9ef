import type { CalibrationReport, UnknownReport } from '../../shared/contracts/calibration';
import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import { fitTemperature } from '../../shared/metrics/fit-temperature';
import { reliability } from '../../shared/metrics/reliability';
import { roc } from '../../shared/metrics/roc';
import type { ClipAnswers } from './predict';

/** What the unknown threshold is judged against: answers to sounds that are none of the classes, by kind. */
export type OtherSounds = Readonly<Record<string, ClipAnswers>>;

/** Share of the validation clips that the threshold lets pass. */
const trueAcceptRate = 0.95;

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
  return {
    temperature,
    before: reliability(labels, probabilities(logits, 1)),
    after: reliability(labels, probabilities(logits, temperature)),
    unknown: rejectUnknown(scores, scoresByKind(others, temperature), thresholdOf(scores)),
  };
}

/** The score that `trueAcceptRate` of the clips reach. */
function thresholdOf(scores: readonly number[]): number {
  const ordered = [...scores].sort((a, b) => a - b);
  return ordered[Math.floor((1 - trueAcceptRate) * ordered.length)]!;
}

/** What is held against the threshold: each clip's highest probability times its familiarity (shared/decision/verdict.ts). */
export function knownScores({ logits, familiarity }: ClipAnswers, temperature: number): number[] {
  return logits.map((rows, clip) => highest(meanProbabilities(rows, temperature)) * familiarity[clip]!);
}

function highest(row: Float32Array): number {
  return Math.min(
    1,
    row.reduce((most, value) => Math.max(most, value), 0),
  );
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
