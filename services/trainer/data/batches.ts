import { inputLength, windowInputs, type PlainFrontEnd } from '../../../shared/front-end/window-inputs';
import { permutation } from '../../../shared/runtime/random';
import type { LabelledClip } from './dataset';

export interface Batch {
  readonly size: number;
  readonly classes: number;
  /** [size, inputs] */
  readonly features: Float32Array;
  /** The class of each clip. */
  readonly labels: Int32Array;
}

export interface BatchOptions {
  readonly frontEnd: PlainFrontEnd;
  readonly classes: number;
  readonly batchSize: number;
  /** Absent: the clips' own order. */
  readonly shuffleSeed?: number;
}

/**
 * The clips as network input, batch by batch; the last one holds what is left (as PyTorch's loader keeps
 * it).
 */
export function* batchesOf(clips: readonly LabelledClip[], options: BatchOptions): Generator<Batch> {
  const { frontEnd, classes, batchSize, shuffleSeed } = options;
  const order =
    shuffleSeed === undefined ? clips.map((_, index) => index) : permutation(clips.length, shuffleSeed);
  const length = inputLength(frontEnd);
  for (let start = 0; start < clips.length; start += batchSize) {
    const chosen = Array.from(order.slice(start, start + batchSize), (index) => clips[index]!);
    const features = new Float32Array(chosen.length * length);
    chosen.forEach(({ samples }, index) => {
      features.set(windowInputs(samples, frontEnd)[0]!, index * length);
    });
    yield {
      size: chosen.length,
      classes,
      features,
      labels: Int32Array.from(chosen, ({ label }) => label),
    };
  }
}

/** The clips of a batch from `start` up to `end`, sharing its memory. */
export function sliceBatch({ size, classes, features, labels }: Batch, start: number, end: number): Batch {
  const length = features.length / size;
  return {
    size: end - start,
    classes,
    features: features.subarray(start * length, end * length),
    labels: labels.subarray(start, end),
  };
}
