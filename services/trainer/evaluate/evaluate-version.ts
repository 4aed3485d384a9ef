import type { CalibrationReport } from '../../../shared/contracts/calibration';
import type { Evaluation } from '../../../shared/contracts/evaluation';
import { windowFormat } from '../../../shared/contracts/members';
import type { EpochEvaluation } from '../../../shared/contracts/report';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { describeEngine } from '../../../shared/compute/provide/load-engine';
import { createScorer } from '../../../shared/compute/inference/scorer';
import { evaluateClassifier } from '../../../shared/metrics/evaluate-classifier';
import { reliability } from '../../../shared/metrics/reliability';
import { calibrate, knownScores, rejectUnknown, scoresByKind, type OtherSounds } from './calibrate';
import {
  calibrationOf,
  membersOf,
  type EvaluationOptions,
  type FoldNetworks,
  type VersionEvaluation,
} from './evaluation';
import type { LabelledClip } from '../data/dataset';
import type { FoldSplit } from '../data/folds';
import { goldenOf } from './golden';
import { openMembers, type OpenMembers } from './open-members';
import {
  answersOf,
  examplesOf,
  joinAnswers,
  type ClipAnswers,
  type Example,
  type MemberScorer,
} from '../optimise/predict';
import { referenceOf } from './validation-profile';
import { judgedClips, servedReport, type JudgedClips } from './served-figures';
import type { TrainedRun } from '../optimise/train';

/**
 * Judges one or several networks as one version. On the validation folds each clip is judged by the
 * members that were not trained on it, on the test fold by all, as served.
 *
 * A network that answers alone may have its best epoch served; its last one is judged beside it (report,
 * task 3), and both at temperature 1. Of several the last epochs are served. Averaged networks are less
 * sure than each of them, so that temperature and threshold need averaged answers: a validation clip's
 * come from all networks that were not trained on it, its fold's and their peers.
 * @param judgedAt the temperature of several networks' probabilities that are judged; absent: the fitted
 *   one, as served
 */
export function evaluateVersion(
  folds: readonly FoldNetworks[],
  testClips: readonly LabelledClip[],
  options: EvaluationOptions,
  judgedAt?: number,
): VersionEvaluation {
  const { engine } = options;
  const runs = membersOf(folds);
  const [run] = runs;
  const choosesEpoch = runs.length === 1 && options.choose === 'best-epoch';
  const weightsOf = ({ bestWeights, lastWeights }: TrainedRun): TrainedRun['lastWeights'] =>
    choosesEpoch ? bestWeights : lastWeights;
  const members = openMembers(folds, weightsOf, options);
  try {
    const clips = hear(folds, testClips, options);
    const judged = judge(folds, clips, members, options);
    const { calibration } = judged;
    const temperature = calibration?.temperature;
    const evaluate = (answers: Answers, epoch: number): EpochEvaluation =>
      evaluateEpoch(answers, epoch, choosesEpoch ? 1 : (judgedAt ?? temperature), options);
    const epochs = run.progress.history.length;
    const { bestEpoch } = run.progress;
    return {
      encoded: members.encoded,
      maxLogitError: judged.maxLogitError,
      ...(choosesEpoch
        ? { best: evaluate(judged, bestEpoch), last: evaluate(judgeLastEpoch(run, clips, options), epochs) }
        : { last: evaluate(judged, epochs) }),
      ...(calibration === undefined ? {} : { calibration }),
      served: servedReport(judged.folds, judged.test, calibrationOf(calibration)),
      reference: referenceOf(clips.validationClips, judged.averaged, temperature, windowFormat(options)),
      golden: goldenOf(
        members.served.flat(),
        options,
        temperature,
        describeEngine(engine, ...runs.map(({ network }) => network.config)),
      ),
    };
  } finally {
    members.dispose();
  }
}

/**
 * One fold's networks as a version. Judged at temperature 1: one that is fitted to the clips of a single
 * fold can be so low that networks vote instead of being averaged.
 */
export function evaluateFold(
  networks: readonly TrainedRun[],
  split: FoldSplit,
  options: EvaluationOptions,
): VersionEvaluation {
  return evaluateVersion([{ split, networks, peers: [] }], split.test, options, 1);
}

/** The clips that a version is judged on, as its networks take them. */
interface HeardClips {
  readonly validationClips: readonly LabelledClip[];
  /** The validation examples of each fold. */
  readonly validation: readonly (readonly Example[])[];
  readonly testClips: readonly LabelledClip[];
  readonly test: readonly Example[];
}

function hear(
  folds: readonly FoldNetworks[],
  testClips: readonly LabelledClip[],
  { frontEnds, engine }: EvaluationOptions,
): HeardClips {
  return {
    validationClips: folds.flatMap(({ split }) => split.validation),
    validation: folds.map(({ split }) => examplesOf(split.validation, frontEnds, engine)),
    testClips,
    test: examplesOf(testClips, frontEnds, engine),
  };
}

/**
 * What networks answer to the clips of all folds, each to those that it was not trained on, and to the
 * test clips.
 */
interface Answers {
  readonly validation: JudgedClips;
  /** Absent: there are no test clips. */
  readonly test?: JudgedClips;
}

interface Judged extends Answers {
  readonly folds: readonly JudgedClips[];
  /** The validation clips' answers with those of the peers. */
  readonly averaged: ClipAnswers;
  readonly maxLogitError: number;
  readonly calibration?: CalibrationReport;
}

function judge(
  folds: readonly FoldNetworks[],
  { validation, validationClips, test, testClips }: HeardClips,
  { served, exact, peers }: OpenMembers,
  options: EvaluationOptions,
): Judged {
  const answers = (scorers: readonly MemberScorer[], examples: readonly Example[]): ClipAnswers =>
    answersOf(scorers, examples, options.classes.length);
  const answersOfFolds = (scorers: readonly (readonly MemberScorer[])[]): ClipAnswers =>
    joinAnswers(validation.map((examples, fold) => answers(scorers[fold]!, examples)));
  const judgedFolds = validation.map((examples, fold) =>
    judgedClips(folds[fold]!.split.validation, answers(served[fold]!, examples)),
  );
  const own = joinAnswers(judgedFolds.map((of) => of.answers));
  const groups = served.map((ofFold, fold) => [...ofFold, ...peers[fold]!]);
  const averaged = peers.flat().length === 0 ? own : answersOfFolds(groups);
  const judgedTest = test.length === 0 ? undefined : judgedClips(testClips, answers(served.flat(), test));
  const labels = validation.flat().map(({ label }) => label);
  const calibration =
    Object.keys(options.madeSounds).length === 0
      ? undefined
      : withTest(
          calibrate(labels, averaged, othersJudged(groups, options)),
          judgedTest,
          served.flat(),
          options,
        );
  return {
    folds: judgedFolds,
    validation: judgedClips(validationClips, own),
    ...(judgedTest === undefined ? {} : { test: judgedTest }),
    averaged,
    maxLogitError: largestDifference(answersOfFolds(exact).logits.flat(), own.logits.flat()),
    ...(calibration === undefined ? {} : { calibration }),
  };
}

/** The last epoch of a network that answers alone, with the weights as trained. */
function judgeLastEpoch(
  { frontEnd, network, lastWeights }: TrainedRun,
  { validation, validationClips, test, testClips }: HeardClips,
  { engine, classes }: EvaluationOptions,
): Answers {
  const scorer = createScorer(network, lastWeights, engine);
  try {
    const answers = (examples: readonly Example[]): ClipAnswers =>
      answersOf([{ frontEnd, scorer }], examples, classes.length);
    const judged = { validation: judgedClips(validationClips, answers(validation.flat())) };
    return test.length === 0 ? judged : { ...judged, test: judgedClips(testClips, answers(test)) };
  } finally {
    scorer.dispose();
  }
}

function evaluateEpoch(
  { validation, test }: Answers,
  epoch: number,
  temperature: number | undefined,
  { classes }: EvaluationOptions,
): EpochEvaluation {
  const evaluate = ({ labels, recordings, answers }: JudgedClips): Evaluation => {
    const probabilities = answers.logits.map((rows) => meanProbabilities(rows, temperature));
    return evaluateClassifier({ labels, recordings, probabilities, classes });
  };
  const judged = { epoch, validation: evaluate(validation) };
  return test === undefined ? judged : { ...judged, test: evaluate(test) };
}

/** The calibration with what it does on the test clips, which did not fit it. */
function withTest(
  calibration: CalibrationReport,
  test: JudgedClips | undefined,
  served: readonly MemberScorer[],
  options: EvaluationOptions,
): CalibrationReport {
  if (test === undefined) return calibration;
  const { temperature, unknown } = calibration;
  const probabilities = test.answers.logits.map((rows) => meanProbabilities(rows, temperature));
  return {
    ...calibration,
    test: reliability(test.labels, probabilities),
    unknownTest: rejectUnknown(
      knownScores(test.answers, temperature),
      scoresByKind(othersJudged([served], options), temperature),
      unknown.threshold,
    ),
  };
}

/** The answers to the made sounds: each sound once for each group of networks that are averaged. */
function othersJudged(
  groups: readonly (readonly MemberScorer[])[],
  { madeSounds, classes }: EvaluationOptions,
): OtherSounds {
  return Object.fromEntries(
    Object.entries(madeSounds).map(([kind, examples]) => [
      kind,
      joinAnswers(groups.map((scorers) => answersOf(scorers, examples, classes.length))),
    ]),
  );
}

function largestDifference(first: readonly Float32Array[], second: readonly Float32Array[]): number {
  let largest = 0;
  first.forEach((row, clip) => {
    row.forEach((value, index) => {
      largest = Math.max(largest, Math.abs(value - second[clip]![index]!));
    });
  });
  return largest;
}
