import type { FrontEnd } from '../../shared/contracts/front-end';
import type { Evaluation } from '../../shared/contracts/evaluation';
import type { EpochEvaluation } from '../../shared/contracts/report';
import { evaluateClassifier } from '../../shared/metrics/evaluate-classifier';
import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import { createScorer, type Scorer } from '../../shared/engine/scorer';
import type { Network } from '../../shared/network/network';
import {
  decodeWeights,
  encodeWeights,
  type EncodedWeights,
  type WeightsDtype,
  type WeightValues,
} from '../../shared/registry/weights-file';
import type { FoldSplit } from './folds';
import { examplesOf, predictLogits, type Example } from './predict';
import type { TrainedRun } from './train';

/** What is published of a run, and what both of its epochs are worth (report, task 3). */
export interface RunEvaluation {
  /** The best epoch's weights as they will be served. */
  readonly encoded: EncodedWeights;
  /** Largest |logit difference| between them and the trained float32 weights, over validation and test clips. */
  readonly maxLogitError: number;
  readonly best: EpochEvaluation;
  readonly last: EpochEvaluation;
}

/**
 * Judges the best epoch with the weights that will be served (after rounding to `dtype`), the last as trained; on the test
 * fold too, unless it holds no clips.
 */
export function evaluateRun(
  run: TrainedRun,
  split: FoldSplit,
  frontEnd: FrontEnd,
  classes: readonly string[],
  dtype: WeightsDtype,
): RunEvaluation {
  const { network, progress } = run;
  const examples = {
    validation: examplesOf(split.validation, frontEnd),
    test: examplesOf(split.test, frontEnd),
  };
  const judge = (scorer: Scorer, epoch: number): Judged =>
    judgeEpoch(scorer, epoch, examples, frontEnd, classes);
  const encoded = encodeWeights(network, run.bestWeights, dtype);
  const exact = withScorer(network, run.bestWeights, 'float32', (scorer) =>
    judge(scorer, progress.bestEpoch),
  );
  const served = withScorer(network, run.bestWeights, dtype, (scorer) => judge(scorer, progress.bestEpoch));
  const last = withScorer(network, run.lastWeights, 'float32', (scorer) =>
    judge(scorer, progress.history.length),
  );
  return {
    encoded,
    maxLogitError: largestDifference(exact.logits, served.logits),
    best: served.evaluation,
    last: last.evaluation,
  };
}

interface Judged {
  readonly evaluation: EpochEvaluation;
  readonly logits: readonly Float32Array[];
}

function judgeEpoch(
  scorer: Scorer,
  epoch: number,
  examples: Readonly<Record<'validation' | 'test', readonly Example[]>>,
  frontEnd: FrontEnd,
  classes: readonly string[],
): Judged {
  const judge = (clips: readonly Example[]): { logits: Float32Array[][]; evaluation: Evaluation } => {
    const logits = predictLogits(scorer, clips, frontEnd, classes.length);
    const labels = clips.map(({ label }) => label);
    const probabilities = logits.map((rows) => meanProbabilities(rows));
    return {
      logits,
      evaluation: evaluateClassifier({ labels, probabilities, classes }),
    };
  };
  const validation = judge(examples.validation);
  const test = examples.test.length === 0 ? undefined : judge(examples.test);
  return {
    evaluation: {
      epoch,
      validation: validation.evaluation,
      ...(test === undefined ? {} : { test: test.evaluation }),
    },
    logits: [...validation.logits, ...(test?.logits ?? [])].flat(),
  };
}

/** Runs `use` with the weights as a reader of the written file would have them. */
function withScorer<T>(
  network: Network,
  values: WeightValues,
  dtype: WeightsDtype,
  use: (scorer: Scorer) => T,
): T {
  const { manifest, bytes } = encodeWeights(network, values, dtype);
  const scorer = createScorer(network, decodeWeights(network, manifest, bytes));
  try {
    return use(scorer);
  } finally {
    scorer.dispose();
  }
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
