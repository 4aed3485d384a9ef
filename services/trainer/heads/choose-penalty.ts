import type { PenaltyJudge } from '../../../shared/contracts/manifest';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { fitTemperature } from '../../../shared/metrics/fit-temperature';
import { crossEntropy } from '../../../shared/metrics/cross-entropy';
import { spread } from '../../../shared/metrics/spread';
import { usualPenalty } from '../recipes/encoder-head';
import type { ClipFeatures } from './clip-features';
import { fitHead, logitsOf, roughTolerance } from './fit-head';

/** What a penalty is chosen from, half a decade apart. */
const penaltyGrid = [10, 30, 100, 300, 1000] as const;
/** Parts that recordings are dealt into where folds cannot judge. */
const maxParts = 5;

export type JudgedClip = Pick<ClipFeatures, 'label' | 'fold' | 'source' | 'features'>;

interface PenaltyOptions {
  readonly training: readonly JudgedClip[];
  /** Clips that neither train nor judge the head; none: training clips take turns. */
  readonly validation: readonly JudgedClip[];
  readonly classes: number;
}

export interface PenaltyChoice {
  readonly penalty: number;
  /** Absent: it was given. */
  readonly penaltyChosenBy?: PenaltyJudge | undefined;
}

/** Some clips, judged by a head on others. */
interface Round {
  readonly training: readonly JudgedClip[];
  readonly judged: readonly JudgedClip[];
}

/**
 * The penalty with the least log loss on clips that the head was not fitted to; where others of the grid
 * are within two standard errors of it (what chance makes of them), the one of them that is nearest to
 * the usual one: few clips tell near penalties apart by chance only. Each penalty has the temperature
 * that suits it best, as a version has: how sure a head is, the penalty need not decide.
 */
export function choosePenalty(options: PenaltyOptions): PenaltyChoice {
  const { rounds, penaltyChosenBy } = roundsOf(options);
  if (rounds.length === 0) return { penalty: usualPenalty, penaltyChosenBy };
  const losses = penaltyGrid.map((penalty) => lossesOf(penalty, rounds, options.classes));
  const means = losses.map((of) => spread(of).mean);
  const least = losses[means.indexOf(Math.min(...means))]!;
  const alike = penaltyGrid.filter((_, index) => isWithinError(losses[index]!, least));
  return { penalty: alike.reduce((best, other) => (isNearer(other, best) ? other : best)), penaltyChosenBy };
}

/** Each judged clip's log loss, at the temperature that suits the penalty best. */
function lossesOf(penalty: number, rounds: readonly Round[], classes: number): number[] {
  const logits = rounds.flatMap(({ training, judged }) =>
    logitsOf(fitHead(training, classes, penalty, roughTolerance), judged),
  );
  const labels = rounds.flatMap(({ judged }) => judged.map(({ label }) => label));
  const temperature = fitTemperature(labels, logits);
  return logits.map((rows, clip) => crossEntropy([labels[clip]!], [meanProbabilities(rows, temperature)]));
}

/** Whether losses are higher than others of the same clips by no more than chance makes, at 95 %. */
function isWithinError(losses: readonly number[], least: readonly number[]): boolean {
  const { mean, standardDeviation } = spread(losses.map((loss, clip) => loss - least[clip]!));
  return mean <= (2 * (standardDeviation ?? 0)) / Math.sqrt(losses.length);
}

function isNearer(penalty: number, than: number): boolean {
  const distance = (of: number): number => Math.abs(Math.log(of / usualPenalty));
  return distance(penalty) < distance(than);
}

function roundsOf({ training, validation, classes }: PenaltyOptions): {
  readonly rounds: readonly Round[];
  readonly penaltyChosenBy: PenaltyJudge;
} {
  if (validation.length > 0) {
    return { rounds: [{ training, judged: validation }], penaltyChosenBy: 'validation fold' };
  }
  const byFold = inTurn(training, ({ fold }) => fold);
  if (byFold.every((round) => teachesAll(round, classes))) {
    return { rounds: byFold, penaltyChosenBy: 'training folds in turn' };
  }
  const parts = partsOf(training);
  const byPart = inTurn(training, ({ source }) => parts.get(source)!);
  if (byPart.every((round) => teachesAll(round, classes))) {
    return { rounds: byPart, penaltyChosenBy: 'training recordings in turn' };
  }
  return { rounds: [], penaltyChosenBy: 'nothing: too few recordings' };
}

/** Each group is judged by a head on all others. */
function inTurn(clips: readonly JudgedClip[], groupOf: (clip: JudgedClip) => number): Round[] {
  return [...new Set(clips.map(groupOf))].map((group) => ({
    training: clips.filter((clip) => groupOf(clip) !== group),
    judged: clips.filter((clip) => groupOf(clip) === group),
  }));
}

function teachesAll({ training }: Round, classes: number): boolean {
  return new Set(training.map(({ label }) => label)).size === classes;
}

/**
 * Deals each class's sources out one by one, so that every part has some of each class as far as there
 * are.
 */
function partsOf(clips: readonly JudgedClip[]): Map<string, number> {
  const parts = new Map<string, number>();
  const dealt = new Map<number, number>();
  for (const { label, source } of clips) {
    if (parts.has(source)) continue;
    const position = dealt.get(label) ?? 0;
    parts.set(source, position % maxParts);
    dealt.set(label, position + 1);
  }
  return parts;
}
