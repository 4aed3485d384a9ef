import type { FrontEnd } from '../../shared/contracts/front-end';
import type { Scorer } from '../../shared/engine/scorer';
import { batchesOf } from './batches';
import type { LabelledClip } from './dataset';

/** Clips at once: enough to keep the engine busy, small enough to stay far below a training step's memory. */
const batchSize = 8;

/** The logits for each clip, in the clips' order. */
export function predictLogits(
  scorer: Scorer,
  clips: readonly LabelledClip[],
  frontEnd: FrontEnd,
  classes: number,
): Float32Array[] {
  const logits: Float32Array[] = [];
  for (const batch of batchesOf(clips, { frontEnd, classes, batchSize })) {
    const values = scorer.logits(batch.features, batch.size);
    for (let row = 0; row < batch.size; row++) logits.push(values.slice(row * classes, (row + 1) * classes));
  }
  return logits;
}
