import { concatenate } from '../../../shared/signal/concatenate';
import { inputLength } from '../../../shared/front-end/window-inputs';
import type { FrontEnd } from '../../../shared/contracts/front-end';
import type { FrontEnds } from '../../../shared/contracts/members';
import { withEqualWeight } from '../../../shared/decision/equal-weight';
import { classLogits, evidenceOf } from '../../../shared/decision/rejection';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import type { Scorer } from '../../../shared/compute/inference/scorer';
import { createFrontEndInputs } from '../../../shared/compute/inference/front-end-inputs';
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
  /** What each front end makes of it. */
  readonly inputs: ReadonlyMap<FrontEnd, readonly Float32Array[]>;
}

export function examplesOf(
  clips: readonly Pick<LabelledClip, 'label' | 'samples'>[],
  frontEnds: FrontEnds,
  engine: LoadedEngine,
): Example[] {
  const computed = frontEnds.map((frontEnd) => [frontEnd, inputsOf(clips, frontEnd, engine)] as const);
  return clips.map(({ label }, clip) => ({
    label,
    inputs: new Map(computed.map(([frontEnd, inputs]) => [frontEnd, inputs[clip]!])),
  }));
}

/** The inputs that each clip gives. */
export function inputsOf(
  clips: readonly Pick<LabelledClip, 'samples'>[],
  frontEnd: FrontEnd,
  engine: LoadedEngine,
): Float32Array[][] {
  const computing = createFrontEndInputs(frontEnd, engine);
  const length = inputLength(frontEnd);
  try {
    const batches = Array.from({ length: Math.ceil(clips.length / batchSize) }, (_, batch) =>
      clips.slice(batch * batchSize, (batch + 1) * batchSize),
    );
    return batches.flatMap((batch) => {
      const { features, counts } = computing.begin(batch.map(({ samples }) => samples))();
      let next = 0;
      return counts.map((count) =>
        Array.from({ length: count }, () => features.slice(next * length, ++next * length)),
      );
    });
  } finally {
    computing.dispose();
  }
}

/** A member of a version, ready to judge. */
export interface MemberScorer {
  readonly frontEnd: FrontEnd;
  readonly scorer: Scorer;
}

/** What a version, or one network, says of clips. */
export interface ClipAnswers {
  /** Clip by clip, of each input of each network, all networks with the same say. */
  readonly logits: readonly (readonly Float32Array[])[];
  /** The evidence for each class of each clip; undefined where the networks do not judge it. */
  readonly evidence: readonly (Float32Array | undefined)[];
}

/**
 * The answers of networks that are averaged.
 * @param members whose front ends are among those that the examples were made with
 */
export function answersOf(
  members: readonly MemberScorer[],
  examples: readonly Example[],
  classes: number,
): ClipAnswers {
  const byMember = members.map(({ frontEnd, scorer }) =>
    predictOutputs(
      scorer,
      examples.map(({ inputs }) => inputs.get(frontEnd)!),
    ),
  );
  const outputs = examples.map((_, clip) =>
    withEqualWeight(byMember.map((rows) => ({ rows: rows[clip]!, members: 1 }))),
  );
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
 * For each clip the outputs of each of its inputs, in their order.
 * @param clips the inputs of each
 */
export function predictOutputs(
  scorer: Scorer,
  clips: readonly (readonly Float32Array[])[],
): Float32Array[][] {
  const inputs = clips.flat();
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
  return clips.map(({ length }) => rows.slice(next, (next += length)));
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
