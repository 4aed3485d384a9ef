import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import { describeEngine } from '../../shared/engine/load-engine';
import { createScorer, type Scorer } from '../../shared/engine/scorer';
import { evaluateClassifier } from '../../shared/metrics/evaluate-classifier';
import { reliability } from '../../shared/metrics/reliability';
import { ensembleParameters, joinMembers, splitMembers } from '../../shared/network/ensemble';
import { decodeWeights, encodeWeights } from '../../shared/registry/weights-file';
import { calibrate, knownScores, rejectUnknown, scoresByKind } from './calibrate';
import {
  largestDifference,
  othersJudged,
  type EvaluationOptions,
  type VersionEvaluation,
} from './evaluate-run';
import type { LabelledClip } from './dataset';
import type { FoldSplit } from './folds';
import { goldenOf } from './golden';
import { answersOf, examplesOf, joinAnswers, type ClipAnswers, type Example } from './predict';
import { referenceOf } from './reference';
import type { TrainedRun } from './train';

export interface FoldRun {
  readonly run: TrainedRun;
  readonly split: FoldSplit;
  /** Of the same fold with other seeds: not published, they only show what averaging does. */
  readonly peers: readonly TrainedRun[];
}

/**
 * Judges the last epochs of several folds' runs as one version. On the validation folds each clip is judged by the one
 * network that was not trained on it, so the figures are of single networks and chosen by nothing; on the test fold by all
 * networks together, as served.
 *
 * Averaged networks are less sure than each of them, so temperature and threshold need averaged answers: a validation
 * clip's come from all networks that were not trained on it, its fold's run and that run's peers.
 */
export function evaluateEnsemble(
  runs: readonly FoldRun[],
  testClips: readonly LabelledClip[],
  options: EvaluationOptions,
): VersionEvaluation {
  const { frontEnd, classes, dtype, engine } = options;
  const { network } = runs[0]!.run;
  const stored = { parameters: ensembleParameters(network, runs.length) };
  const encoded = encodeWeights(stored, joinMembers(runs.map(({ run }) => run.lastWeights)), dtype);
  const rounded = decodeWeights(stored, encoded.manifest, encoded.bytes);
  const exact = runs.map(({ run }) => createScorer(network, run.lastWeights, engine));
  const served = splitMembers(network, rounded, runs.length).map((values) =>
    createScorer(network, values, engine),
  );
  const groups = runs.map(({ peers }, member) => [
    served[member]!,
    ...peers.map(({ lastWeights }) => createScorer(network, lastWeights, engine)),
  ]);
  const judge = (scorers: readonly Scorer[], examples: readonly Example[]): ClipAnswers =>
    answersOf(scorers, examples, frontEnd, classes.length);
  try {
    const folds = runs.map(({ split }) => examplesOf(split.validation, frontEnd));
    const labels = folds.flat().map(({ label }) => label);
    const single = joinAnswers(folds.map((examples, member) => judge([served[member]!], examples)));
    const averaged = joinAnswers(folds.map((examples, member) => judge(groups[member]!, examples)));
    const exactLogits = folds.flatMap((examples, member) => judge([exact[member]!], examples).logits);
    const calibration = calibrate(labels, averaged, othersJudged(groups, options));
    const { temperature } = calibration;
    const evaluate = (
      truth: readonly number[],
      { logits }: ClipAnswers,
    ): ReturnType<typeof evaluateClassifier> => {
      const probabilities = logits.map((rows) => meanProbabilities(rows, temperature));
      return evaluateClassifier({ labels: truth, probabilities, classes });
    };
    const epoch = runs[0]!.run.progress.history.length;
    const validation = evaluate(labels, single);
    const validationClips = runs.flatMap(({ split }) => split.validation);
    const common = {
      encoded,
      maxLogitError: largestDifference(exactLogits.flat(), single.logits.flat()),
      reference: referenceOf(validationClips, averaged.logits, temperature),
      golden: goldenOf(served, options, temperature, describeEngine(engine, network.config)),
    };
    const test = examplesOf(testClips, frontEnd);
    if (test.length === 0) return { ...common, last: { epoch, validation }, calibration };
    const testLabels = test.map(({ label }) => label);
    const answers = judge(served, test);
    const testProbabilities = answers.logits.map((rows) => meanProbabilities(rows, temperature));
    return {
      ...common,
      last: { epoch, validation, test: evaluate(testLabels, answers) },
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
    for (const scorer of [...exact, ...groups.flat()]) scorer.dispose();
  }
}
