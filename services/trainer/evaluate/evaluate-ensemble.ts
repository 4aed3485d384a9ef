import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { describeEngine } from '../../../shared/compute/provide/load-engine';
import { createScorer, type Scorer } from '../../../shared/compute/inference/scorer';
import { evaluateClassifier } from '../../../shared/metrics/evaluate-classifier';
import { reliability } from '../../../shared/metrics/reliability';
import { ensembleParameters, joinMembers, splitMembers } from '../../../shared/compute/network/ensemble';
import { decodeWeights, encodeWeights, type WeightValues } from '../../../shared/registry/weights-file';
import type { Evaluation } from '../../../shared/contracts/evaluation';
import { calibrate, knownScores, rejectUnknown, scoresByKind } from './calibrate';
import {
  calibrationOf,
  evaluateRun,
  largestDifference,
  othersJudged,
  type EvaluationOptions,
  type VersionEvaluation,
} from './evaluate-run';
import type { LabelledClip } from '../data/dataset';
import type { FoldSplit } from '../data/folds';
import { goldenOf } from './golden';
import { answersOf, examplesOf, joinAnswers, type ClipAnswers, type Example } from '../optimise/predict';
import { referenceOf } from './validation-profile';
import { judgedClips, servedReport, type JudgedClips } from './served-figures';
import type { TrainedRun } from '../optimise/train';
import type { Recipe } from '../recipes/recipe';

/** Networks of one fold, as many as the front end has views. */
export interface FoldNetworks {
  readonly split: FoldSplit;
  /** In the order of the views. */
  readonly networks: readonly TrainedRun[];
  /** The same with other seeds, one network after the other: not published, they only show what averaging does. */
  readonly peers: readonly TrainedRun[];
}

/**
 * Judges the last epochs of one or several folds' networks as one version. On the validation folds each clip is judged by
 * the networks that were not trained on it, so the figures are of one fold's networks and chosen by nothing; on the test fold by all
 * networks together, as served.
 *
 * Averaged networks are less sure than each of them, so temperature and threshold need averaged answers: a validation
 * clip's come from all networks that were not trained on it, its fold's and their peers.
 * @param judgedAt the temperature of the probabilities that are judged; absent: the fitted one, as served
 */
export function evaluateEnsemble(
  folds: readonly FoldNetworks[],
  testClips: readonly LabelledClip[],
  options: EvaluationOptions,
  judgedAt?: number,
): VersionEvaluation {
  const { frontEnd, classes, dtype, engine } = options;
  const members = membersOf(folds);
  const [{ network, progress }] = members;
  const stored = { parameters: ensembleParameters(network, members.length) };
  const encoded = encodeWeights(stored, joinMembers(members.map(({ lastWeights }) => lastWeights)), dtype);
  const rounded = decodeWeights(stored, encoded.manifest, encoded.bytes);
  const scorerOf = (values: WeightValues): Scorer => createScorer(network, values, engine);
  const served = splitMembers(network, rounded, members.length).map(scorerOf);
  const exact = members.map(({ lastWeights }) => scorerOf(lastWeights));
  const peers = folds.map((fold) => fold.peers.map(({ lastWeights }) => scorerOf(lastWeights)));
  const each = folds[0]!.networks.length;
  const ofFold = <T>(all: readonly T[], fold: number): T[] => all.slice(fold * each, (fold + 1) * each);
  const groups = folds.map((_, fold) => [...ofFold(served, fold), ...peers[fold]!]);
  const judge = (scorers: readonly Scorer[], examples: readonly Example[]): ClipAnswers =>
    answersOf(scorers, examples, classes.length);
  try {
    const validation = folds.map(({ split }) => examplesOf(split.validation, frontEnd, engine));
    const labels = validation.flat().map(({ label }) => label);
    const judgeFolds = (scorersOf: (fold: number) => readonly Scorer[]): ClipAnswers =>
      joinAnswers(validation.map((examples, fold) => judge(scorersOf(fold), examples)));
    const judgedFolds = validation.map((examples, fold) =>
      judgedClips(folds[fold]!.split.validation, judge(ofFold(served, fold), examples)),
    );
    const own = joinAnswers(judgedFolds.map(({ answers }) => answers));
    const averaged = peers.flat().length === 0 ? own : judgeFolds((fold) => groups[fold]!);
    const exactLogits = judgeFolds((fold) => ofFold(exact, fold)).logits;
    const calibration = calibrate(labels, averaged, othersJudged(groups, options));
    const { temperature } = calibration;
    const evaluate = ({ labels: truth, recordings, answers }: JudgedClips): Evaluation => {
      const probabilities = answers.logits.map((rows) => meanProbabilities(rows, judgedAt ?? temperature));
      return evaluateClassifier({ labels: truth, recordings, probabilities, classes });
    };
    const epoch = progress.history.length;
    const validationClips = folds.flatMap(({ split }) => split.validation);
    const common = {
      encoded,
      maxLogitError: largestDifference(exactLogits.flat(), own.logits.flat()),
      reference: referenceOf(validationClips, averaged, temperature, frontEnd),
      golden: goldenOf(served, options, temperature, describeEngine(engine, network.config)),
    };
    const test = examplesOf(testClips, frontEnd, engine);
    const judged = { epoch, validation: evaluate(judgedClips(validationClips, own)) };
    const publishedCalibration = calibrationOf(calibration);
    if (test.length === 0) {
      return {
        ...common,
        last: judged,
        calibration,
        served: servedReport(judgedFolds, undefined, publishedCalibration),
      };
    }
    const testLabels = test.map(({ label }) => label);
    const answers = judge(served, test);
    const judgedTest = judgedClips(testClips, answers);
    const testProbabilities = answers.logits.map((rows) => meanProbabilities(rows, temperature));
    return {
      ...common,
      last: { ...judged, test: evaluate(judgedTest) },
      served: servedReport(judgedFolds, judgedTest, publishedCalibration),
      calibration: {
        ...calibration,
        test: reliability(testLabels, testProbabilities),
        unknownTest: rejectUnknown(
          knownScores(answers, temperature),
          scoresByKind(othersJudged([served], options), temperature),
          calibration.unknown.threshold,
        ),
      },
    };
  } finally {
    for (const scorer of [...served, ...exact, ...peers.flat()]) scorer.dispose();
  }
}

/** Whether a fold has one network, of which the best epoch is served. */
export function choosesEpoch(networks: readonly TrainedRun[], { choose }: Pick<Recipe, 'choose'>): boolean {
  return networks.length === 1 && choose === 'best-epoch';
}

/** In the order in which a version holds them: fold after fold, so that they take turns at the views. */
export function membersOf(folds: readonly FoldNetworks[]): readonly [TrainedRun, ...TrainedRun[]] {
  return folds.flatMap(({ networks }) => networks) as [TrainedRun, ...TrainedRun[]];
}

/**
 * One fold's networks: alone, where there is one, with its best epoch beside the last. Judged at temperature 1: one that is fitted to
 * the clips of a single fold can be so low that networks vote instead of being averaged.
 */
export function evaluateFold(
  networks: readonly TrainedRun[],
  split: FoldSplit,
  options: EvaluationOptions,
): VersionEvaluation {
  return choosesEpoch(networks, options)
    ? evaluateRun(networks[0]!, split, options)
    : evaluateEnsemble([{ split, networks, peers: [] }], split.test, options, 1);
}
