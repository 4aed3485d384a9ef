import { concatenate } from '../../../shared/signal/concatenate';
import { inputLength } from '../../../shared/front-end/window-inputs';
import { viewsOf, type FrontEnd, type View } from '../../../shared/contracts/front-end';
import { withEqualWeight } from '../../../shared/decision/equal-weight';
import { classLogits, evidenceOf } from '../../../shared/decision/rejection';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import type { Scorer } from '../../../shared/compute/inference/scorer';
import { createViewInputs } from '../../../shared/compute/inference/view-inputs';
import { crossEntropy } from '../../../shared/metrics/cross-entropy';
import type { LabelledClip } from '../data/dataset';

/**
 * Inputs at once: enough to keep the engine busy, small enough to stay far below a training step's
 * memory.
 */
const batchSize = 8;

/** A clip as networks take it, made once and judged often. */
export interface Example {
  readonly label: number;
  /** By view of the front end. */
  readonly views: readonly (readonly Float32Array[])[];
}

export function examplesOf(
  clips: readonly Pick<LabelledClip, 'label' | 'samples'>[],
  frontEnd: FrontEnd,
  engine: LoadedEngine,
): Example[] {
  const byView = viewsOf(frontEnd).map((view) => inputsOf(clips, view, engine));
  return clips.map(({ label }, clip) => ({ label, views: byView.map((inputs) => inputs[clip]!) }));
}

/** The inputs that each clip gives. */
function inputsOf(
  clips: readonly Pick<LabelledClip, 'samples'>[],
  view: View,
  engine: LoadedEngine,
): Float32Array[][] {
  const viewInputs = createViewInputs(view, engine);
  const length = inputLength(view);
  try {
    const batches = Array.from({ length: Math.ceil(clips.length / batchSize) }, (_, batch) =>
      clips.slice(batch * batchSize, (batch + 1) * batchSize),
    );
    return batches.flatMap((batch) => {
      const { features, counts } = viewInputs.of(batch.map(({ samples }) => samples));
      let next = 0;
      return counts.map((count) =>
        Array.from({ length: count }, () => features.slice(next * length, ++next * length)),
      );
    });
  } finally {
    viewInputs.dispose();
  }
}

/** What a version, or one network, says of clips. */
export interface ClipAnswers {
  /** Clip by clip, of each input of each network, all networks with the same say. */
  readonly logits: readonly (readonly Float32Array[])[];
  /** Of each clip what else speaks for each class; undefined where the networks do not judge it. */
  readonly evidence: readonly (Float32Array | undefined)[];
}

/**
 * The answers of networks that are averaged.
 * @param scorers of a version's members, in its order
 */
export function answersOf(
  scorers: readonly Scorer[],
  examples: readonly Example[],
  classes: number,
): ClipAnswers {
  const byScorer = scorers.map((scorer, memberIndex) => predictOutputs(scorer, examples, memberIndex));
  const outputs = examples.map((_, clip) => withEqualWeight(byScorer.map((rows) => rows[clip]!)));
  return {
    logits: outputs.map((rows) => rows.map((row) => classLogits(row, classes))),
    evidence: outputs.map((rows) => evidenceOf(rows, classes)),
  };
}

export function joinAnswers(answers: readonly ClipAnswers[]): ClipAnswers {
  return {
    logits: answers.flatMap(({ logits }) => logits),
    evidence: answers.flatMap(({ evidence }) => evidence),
  };
}

/**
 * For each example the outputs of each of its inputs, in their order.
 * @param memberIndex of the network in its version: members have the views one after the other, then
 *   again from the first
 */
export function predictOutputs(
  scorer: Scorer,
  examples: readonly Example[],
  memberIndex = 0,
): Float32Array[][] {
  const heard = examples.map(({ views }) => views[memberIndex % views.length]!);
  const inputs = heard.flat();
  const rows: Float32Array[] = [];
  for (let start = 0; start < inputs.length; start += batchSize) {
    const batch = inputs.slice(start, start + batchSize);
    const values = scorer.logits(concatenate(batch, batch.length * batch[0]!.length), batch.length);
    const outputs = values.length / batch.length;
    for (let row = 0; row < batch.length; row++) {
      rows.push(values.slice(row * outputs, (row + 1) * outputs));
    }
  }
  let next = 0;
  return heard.map(({ length }) => rows.slice(next, (next += length)));
}

/** What answers to examples are worth; of equal probabilities the first counts. */
export function lossAndAccuracy(
  examples: readonly Pick<Example, 'label'>[],
  probabilities: readonly Float32Array[],
): { loss: number; accuracy: number } {
  const labels = examples.map(({ label }) => label);
  const correct = probabilities.filter((row, index) => indexOfHighest(row) === labels[index]).length;
  return { loss: crossEntropy(labels, probabilities), accuracy: correct / examples.length };
}

function indexOfHighest(values: Float32Array): number {
  return values.reduce((best, value, index) => (value > values[best]! ? index : best), 0);
}
