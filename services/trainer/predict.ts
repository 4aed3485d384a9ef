import { concatenate } from '../../shared/audio/concatenate';
import { windowInputs } from '../../shared/audio/window-inputs';
import { viewsOf, type FrontEnd } from '../../shared/contracts/front-end';
import { withEqualSay } from '../../shared/decision/equal-say';
import { classLogits, familiarityOf } from '../../shared/decision/familiarity';
import type { Scorer } from '../../shared/engine/scorer';
import type { LabelledClip } from './dataset';

/** Inputs at once: enough to keep the engine busy, small enough to stay far below a training step's memory. */
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
): Example[] {
  return clips.map(({ label, samples }) => ({
    label,
    views: viewsOf(frontEnd).map((view) => windowInputs(samples, view)),
  }));
}

/** What a version, or one network, says of clips. */
export interface ClipAnswers {
  /** Clip by clip, of each input of each network, all networks with the same say. */
  readonly logits: readonly (readonly Float32Array[])[];
  /** Of each clip; 1 where the networks do not judge it. */
  readonly familiarity: readonly number[];
}

/**
 * The answers of networks that are averaged.
 * @param scorers take turns at the examples' views
 */
export function answersOf(
  scorers: readonly Scorer[],
  examples: readonly Example[],
  classes: number,
): ClipAnswers {
  const byScorer = scorers.map((scorer, turn) => predictOutputs(scorer, examples, turn));
  const outputs = examples.map((_, clip) => withEqualSay(byScorer.map((rows) => rows[clip]!)));
  return {
    logits: outputs.map((rows) => rows.map((row) => classLogits(row, classes))),
    familiarity: outputs.map((rows) => familiarityOf(rows, classes) ?? 1),
  };
}

export function joinAnswers(answers: readonly ClipAnswers[]): ClipAnswers {
  return {
    logits: answers.flatMap(({ logits }) => logits),
    familiarity: answers.flatMap(({ familiarity }) => familiarity),
  };
}

/**
 * For each example the outputs of each of its inputs, in their order.
 * @param turn of the network in its version: it has the view whose turn it is
 */
export function predictOutputs(scorer: Scorer, examples: readonly Example[], turn = 0): Float32Array[][] {
  const heard = examples.map(({ views }) => views[turn % views.length]!);
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
