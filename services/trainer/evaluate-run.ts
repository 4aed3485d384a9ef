import type { FrontEnd } from '../../shared/contracts/front-end';
import type { EpochEvaluation } from '../../shared/contracts/report';
import { evaluateClassifier } from '../../shared/metrics/evaluate-classifier';
import { softmax } from '../../shared/decision/softmax';
import type { LoadedEngine } from '../../shared/engine/load-engine';
import { createScorer, type Scorer } from '../../shared/engine/scorer';
import type { Network } from '../../shared/network/network';
import {
  decodeWeights,
  encodeWeights,
  type EncodedWeights,
  type WeightsDtype,
  type WeightValues,
} from '../../shared/registry/weights-file';
import type { LabelledClip } from './dataset';
import type { FoldSplit } from './folds';
import { predictLogits } from './predict';
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

/** Judges the best epoch with the weights that will be served (after rounding to `dtype`), the last as trained. */
export function evaluateRun(
  run: TrainedRun,
  split: FoldSplit,
  frontEnd: FrontEnd,
  classes: readonly string[],
  dtype: WeightsDtype,
  engine: LoadedEngine,
): RunEvaluation {
  const { network, progress } = run;
  const judge = (scorer: Scorer, epoch: number): Judged =>
    judgeEpoch(scorer, epoch, split, frontEnd, classes);
  const encoded = encodeWeights(network, run.bestWeights, dtype);
  const exact = withScorer({ network, engine }, run.bestWeights, 'float32', (scorer) =>
    judge(scorer, progress.bestEpoch),
  );
  const served = withScorer({ network, engine }, run.bestWeights, dtype, (scorer) =>
    judge(scorer, progress.bestEpoch),
  );
  const last = withScorer({ network, engine }, run.lastWeights, 'float32', (scorer) =>
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
  split: FoldSplit,
  frontEnd: FrontEnd,
  classes: readonly string[],
): Judged {
  const judge = (
    clips: readonly LabelledClip[],
  ): { logits: Float32Array[]; evaluation: EpochEvaluation['test'] } => {
    const logits = predictLogits(scorer, clips, frontEnd, classes.length);
    const labels = clips.map(({ label }) => label);
    return {
      logits,
      evaluation: evaluateClassifier({ labels, probabilities: logits.map(softmax), classes }),
    };
  };
  const validation = judge(split.validation);
  const test = judge(split.test);
  return {
    evaluation: { epoch, validation: validation.evaluation, test: test.evaluation },
    logits: [...validation.logits, ...test.logits],
  };
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

function largestDifference(first: readonly Float32Array[], second: readonly Float32Array[]): number {
  let largest = 0;
  first.forEach((row, clip) => {
    row.forEach((value, index) => {
      largest = Math.max(largest, Math.abs(value - second[clip]![index]!));
    });
  });
  return largest;
}
