import { inputLength, windowInputs } from '../../shared/audio/window-inputs';
import type { FrontEnd } from '../../shared/contracts/front-end';
import type { Scorer } from '../../shared/engine/scorer';
import type { LabelledClip } from './dataset';

/** Inputs at once: enough to keep the engine busy, small enough to stay far below a training step's memory. */
const batchSize = 8;

/** A clip as the network takes it, made once and judged often. */
export interface Example {
  readonly label: number;
  readonly inputs: readonly Float32Array[];
}

export function examplesOf(clips: readonly LabelledClip[], frontEnd: FrontEnd): Example[] {
  return clips.map(({ label, samples }) => ({ label, inputs: windowInputs(samples, frontEnd) }));
}

/** For each example the logits of each of its inputs, in their order. */
export function predictLogits(
  scorer: Scorer,
  examples: readonly Example[],
  frontEnd: FrontEnd,
  classes: number,
): Float32Array[][] {
  const length = inputLength(frontEnd);
  const inputs = examples.flatMap((example) => example.inputs);
  const rows: Float32Array[] = [];
  for (let start = 0; start < inputs.length; start += batchSize) {
    const batch = inputs.slice(start, start + batchSize);
    const features = new Float32Array(batch.length * length);
    batch.forEach((input, index) => {
      features.set(input, index * length);
    });
    const values = scorer.logits(features, batch.length);
    for (let row = 0; row < batch.length; row++) {
      rows.push(values.slice(row * classes, (row + 1) * classes));
    }
  }
  let next = 0;
  return examples.map((example) => rows.slice(next, (next += example.inputs.length)));
}
