import type { Calibration, CalibrationReport } from '../../../shared/contracts/calibration';
import type { FrontEnd } from '../../../shared/contracts/front-end';
import type { Golden } from '../../../shared/contracts/lifecycle';
import type { EpochEvaluation, ValidationProfile, ServedReport } from '../../../shared/contracts/report';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { describeEngine, type LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { createScorer, type Scorer } from '../../../shared/compute/inference/scorer';
import { evaluateClassifier } from '../../../shared/metrics/evaluate-classifier';
import type { Network } from '../../../shared/compute/network/network';
import {
  decodeWeights,
  encodeWeights,
  type EncodedWeights,
  type WeightsDtype,
  type WeightValues,
} from '../../../shared/registry/weights-file';
import { calibrate, type OtherSounds } from './calibrate';
import type { LabelledClip } from '../data/dataset';
import type { FoldSplit } from '../data/folds';
import { goldenOf } from './golden';
import { answersOf, examplesOf, joinAnswers, type ClipAnswers, type Example } from '../optimise/predict';
import { referenceOf } from './validation-profile';
import { judgedClips, recordingOf, servedReport } from './served-figures';
import type { TrainedRun } from '../optimise/train';
import type { Recipe } from '../recipes/recipe';

export interface EvaluationOptions {
  readonly frontEnd: FrontEnd;
  readonly classes: readonly string[];
  readonly dtype: WeightsDtype;
  /** Sounds that are none of the classes, by kind, for what is to know them. */
  readonly madeSounds: Readonly<Record<string, readonly Example[]>>;
  readonly engine: LoadedEngine;
  readonly choose: Recipe['choose'];
}

/** What is published, and what it is worth. */
export interface VersionEvaluation {
  /** The weights as they will be served. */
  readonly encoded: EncodedWeights;
  /** Largest |logit difference| between them and the trained float32 weights, over the clips judged. */
  readonly maxLogitError: number;
  /** Absent: no epoch was chosen. */
  readonly best?: EpochEvaluation;
  readonly last: EpochEvaluation;
  readonly calibration?: CalibrationReport;
  /** Of what is served, as callers see it. */
  readonly served: ServedReport;
  /** Of what is served, on the validation clips. */
  readonly reference: ValidationProfile;
  readonly golden: Golden;
}

/** A single run's: both of its epochs (report, task 3). */
export interface RunEvaluation extends VersionEvaluation {
  readonly best: EpochEvaluation;
}

/**
 * Judges a network that answers alone: the best epoch with the weights that will be served (after rounding to `dtype`), the last as trained; on the test
 * fold too, unless it holds no clips.
 */
export function evaluateRun(run: TrainedRun, split: FoldSplit, options: EvaluationOptions): RunEvaluation {
  const { network, progress } = run;
  const { frontEnd, dtype, engine } = options;
  const heard = (clips: readonly LabelledClip[]): HeardClips => ({
    examples: examplesOf(clips, frontEnd, engine),
    recordings: clips.map(({ filename }) => recordingOf(filename)),
  });
  const clips = { validation: heard(split.validation), test: heard(split.test) };
  const judge = (scorer: Scorer, epoch: number): Judged => judgeEpoch(scorer, epoch, clips, options);
  const encoded = encodeWeights(network, run.bestWeights, dtype);
  const exact = withScorer({ network, engine }, run.bestWeights, 'float32', (scorer) =>
    judge(scorer, progress.bestEpoch),
  );
  const served = withScorer({ network, engine }, run.bestWeights, dtype, (scorer) => {
    const judged = judge(scorer, progress.bestEpoch);
    const labels = labelsOf(clips.validation.examples);
    const calibration =
      Object.keys(options.madeSounds).length === 0
        ? undefined
        : calibrate(labels, judged.validation, othersJudged([[scorer]], options));
    const described = describeEngine(engine, network.config);
    return {
      ...judged,
      calibration,
      golden: goldenOf([scorer], options, calibration?.temperature, described),
    };
  });
  const last = withScorer({ network, engine }, run.lastWeights, 'float32', (scorer) =>
    judge(scorer, progress.history.length),
  );
  return {
    encoded,
    maxLogitError: largestDifference(exact.logits, served.logits),
    best: served.evaluation,
    last: last.evaluation,
    ...(served.calibration === undefined ? {} : { calibration: served.calibration }),
    served: servedReport(
      [judgedClips(split.validation, served.validation)],
      judgedClips(split.test, served.test),
      calibrationOf(served.calibration),
    ),
    reference: referenceOf(split.validation, served.validation, served.calibration?.temperature, frontEnd),
    golden: served.golden,
  };
}

/** The answers to the made sounds: each sound once for each group of networks that are averaged. */
export function othersJudged(
  groups: readonly (readonly Scorer[])[],
  { madeSounds, classes }: EvaluationOptions,
): OtherSounds {
  return Object.fromEntries(
    Object.entries(madeSounds).map(([kind, examples]) => [
      kind,
      joinAnswers(groups.map((scorers) => answersOf(scorers, examples, classes.length))),
    ]),
  );
}

interface HeardClips {
  readonly examples: readonly Example[];
  /** The recording that each is from. */
  readonly recordings: readonly string[];
}

/** What of a report is published. */
export function calibrationOf(report: CalibrationReport | undefined): Calibration | undefined {
  return report && { temperature: report.temperature, unknownBelow: report.unknown.threshold };
}

interface Judged {
  readonly evaluation: EpochEvaluation;
  readonly validation: ClipAnswers;
  /** Empty where the test fold holds no clips. */
  readonly test: ClipAnswers;
  readonly logits: readonly Float32Array[];
}

function judgeEpoch(
  scorer: Scorer,
  epoch: number,
  clips: Readonly<Record<'validation' | 'test', HeardClips>>,
  { classes }: EvaluationOptions,
): Judged {
  const judge = ({
    examples,
    recordings,
  }: HeardClips): { answers: ClipAnswers; evaluation: EpochEvaluation['validation'] } => {
    const answers = answersOf([scorer], examples, classes.length);
    const labels = labelsOf(examples);
    const probabilities = answers.logits.map((rows) => meanProbabilities(rows));
    return { answers, evaluation: evaluateClassifier({ labels, probabilities, classes, recordings }) };
  };
  const validation = judge(clips.validation);
  const test = clips.test.examples.length === 0 ? undefined : judge(clips.test);
  return {
    evaluation: {
      epoch,
      validation: validation.evaluation,
      ...(test === undefined ? {} : { test: test.evaluation }),
    },
    validation: validation.answers,
    test: test?.answers ?? { logits: [], evidence: [] },
    logits: [...validation.answers.logits, ...(test?.answers.logits ?? [])].flat(),
  };
}

function labelsOf(examples: readonly Example[]): number[] {
  return examples.map(({ label }) => label);
}

/** Runs `use` with the weights as a reader of the written file would have them. */
function withScorer<T>(
  { network, engine }: { readonly network: Network; readonly engine: LoadedEngine },
  values: WeightValues,
  dtype: WeightsDtype,
  use: (scorer: Scorer) => T,
): T {
  const { manifest, bytes } = encodeWeights(network, values, dtype);
  const scorer = createScorer(network, decodeWeights(network, manifest, bytes), engine);
  try {
    return use(scorer);
  } finally {
    scorer.dispose();
  }
}

export function largestDifference(first: readonly Float32Array[], second: readonly Float32Array[]): number {
  let largest = 0;
  first.forEach((row, clip) => {
    row.forEach((value, index) => {
      largest = Math.max(largest, Math.abs(value - second[clip]![index]!));
    });
  });
  return largest;
}
