import type { CalibrationReport, UnknownReport } from '../../shared/contracts/calibration';
import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import { fitTemperature } from '../../shared/metrics/fit-temperature';
import { reliability } from '../../shared/metrics/reliability';
import { roc } from '../../shared/metrics/roc';

/** Logits of each input of a clip, clip by clip. */
export type ClipLogits = readonly (readonly Float32Array[])[];

/** What the unknown threshold is chosen against: logits of sounds that are none of the classes, by kind. */
export type OtherSounds = Readonly<Record<string, ClipLogits>>;

/** Share of the validation clips that the threshold lets pass. */
const trueAcceptRate = 0.95;

/** Temperature and threshold of a version, on clips that its networks were not trained on. */
export function calibrate(
  labels: readonly number[],
  logits: ClipLogits,
  others: OtherSounds,
): CalibrationReport {
  const temperature = fitTemperature(labels, logits);
  const probabilities = (rows: ClipLogits, t: number): Float32Array[] =>
    rows.map((inputs) => meanProbabilities(inputs, t));
  const scoresOf = (rows: ClipLogits): number[] => probabilities(rows, temperature).map(highest);
  return {
    temperature,
    before: reliability(labels, probabilities(logits, 1)),
    after: reliability(labels, probabilities(logits, temperature)),
    unknown: rejectUnknown(
      scoresOf(logits),
      Object.entries(others).map(([kind, rows]) => [kind, scoresOf(rows)]),
    ),
  };
}

function highest(row: Float32Array): number {
  return Math.min(
    1,
    row.reduce((most, value) => Math.max(most, value), 0),
  );
}

function rejectUnknown(known: readonly number[], others: readonly [string, number[]][]): UnknownReport {
  const ordered = [...known].sort((a, b) => a - b);
  const threshold = ordered[Math.floor((1 - trueAcceptRate) * known.length)]!;
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
