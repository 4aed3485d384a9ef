import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import { describeEngine } from '../../shared/engine/load-engine';
import { createScorer, type Scorer } from '../../shared/engine/scorer';
import { evaluateClassifier } from '../../shared/metrics/evaluate-classifier';
import { reliability } from '../../shared/metrics/reliability';
import { ensembleParameters, joinMembers, splitMembers } from '../../shared/network/ensemble';
import { decodeWeights, encodeWeights } from '../../shared/registry/weights-file';
import { calibrate, type ClipLogits } from './calibrate';
import {
  largestDifference,
  othersJudged,
  type EvaluationOptions,
  type VersionEvaluation,
} from './evaluate-run';
import type { LabelledClip } from './dataset';
import type { FoldSplit } from './folds';
import { goldenOf } from './golden';
import { examplesOf, predictLogits, type Example } from './predict';
import { referenceOf } from './reference';
import type { TrainedRun } from './train';

export interface FoldRun {
  readonly run: TrainedRun;
  readonly split: FoldSplit;
}

/**
 * Judges the last epochs of several folds' runs as one version. On the validation folds each clip is judged by the one
 * network that was not trained on it, so the figures are of single networks and chosen by nothing; on the test fold by all
 * networks together, as served. Temperature and threshold come from the validation folds.
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
  const judge = (scorer: Scorer, examples: readonly Example[]): Float32Array[][] =>
    predictLogits(scorer, examples, frontEnd, classes.length);
  const together = (examples: readonly Example[]): Float32Array[][] => {
    const byMember = served.map((scorer) => judge(scorer, examples));
    return examples.map((_, clip) => byMember.flatMap((rows) => rows[clip]!));
  };
  try {
    const folds = runs.map(({ split }) => examplesOf(split.validation, frontEnd));
    const labels = folds.flat().map(({ label }) => label);
    const logits = folds.flatMap((examples, member) => judge(served[member]!, examples));
    const exactLogits = folds.flatMap((examples, member) => judge(exact[member]!, examples));
    const calibration = calibrate(labels, logits, othersJudged(served, options));
    const evaluate = (truth: readonly number[], rows: ClipLogits): ReturnType<typeof evaluateClassifier> => {
      const probabilities = rows.map((inputs) => meanProbabilities(inputs, calibration.temperature));
      return evaluateClassifier({ labels: truth, probabilities, classes });
    };
    const epoch = runs[0]!.run.progress.history.length;
    const validation = evaluate(labels, logits);
    const { temperature } = calibration;
    const validationClips = runs.flatMap(({ split }) => split.validation);
    const common = {
      encoded,
      maxLogitError: largestDifference(exactLogits.flat(), logits.flat()),
      reference: referenceOf(validationClips, logits, temperature),
      golden: goldenOf(served, options, temperature, describeEngine(engine, network.config)),
    };
    const test = examplesOf(testClips, frontEnd);
    if (test.length === 0) return { ...common, last: { epoch, validation }, calibration };
    const testLabels = test.map(({ label }) => label);
    const testLogits = together(test);
    const testProbabilities = testLogits.map((rows) => meanProbabilities(rows, calibration.temperature));
    return {
      ...common,
      last: { epoch, validation, test: evaluate(testLabels, testLogits) },
      calibration: { ...calibration, test: reliability(testLabels, testProbabilities) },
    };
  } finally {
    for (const scorer of [...exact, ...served]) scorer.dispose();
  }
}
