import { joinFrames } from '../../shared/audio/frames';
import type { FrontEnd } from '../../shared/contracts/front-end';
import { permutation } from '../../shared/network/random';
import { inputSamples } from '../../shared/network/trunk';
import type { LabelledClip } from './dataset';

export interface Batch {
  readonly size: number;
  readonly classes: number;
  /** [size, inputSamples] */
  readonly features: Float32Array;
  readonly labels: Int32Array;
  /** The clips from `start` up to `end`, sharing this batch's memory. */
  slice(start: number, end: number): Batch;
}

export interface BatchOptions {
  readonly frontEnd: FrontEnd;
  readonly classes: number;
  readonly batchSize: number;
  /** Absent: the clips' own order. */
  readonly shuffleSeed?: number;
}

/** The clips as network input, batch by batch; the last one holds what is left (as PyTorch's loader keeps it). */
export function* batchesOf(clips: readonly LabelledClip[], options: BatchOptions): Generator<Batch> {
  const order =
    options.shuffleSeed === undefined
      ? clips.map((_, index) => index)
      : permutation(clips.length, options.shuffleSeed);
  for (let start = 0; start < clips.length; start += options.batchSize) {
    const chosen = Array.from(order.slice(start, start + options.batchSize), (index) => clips[index]!);
    const features = new Float32Array(chosen.length * inputSamples);
    chosen.forEach(({ samples }, index) => {
      joinFrames(samples, options.frontEnd, features, index * inputSamples);
    });
    yield batchFrom(
      features,
      Int32Array.from(chosen, ({ label }) => label),
      options.classes,
    );
  }
}

function batchFrom(features: Float32Array, labels: Int32Array, classes: number): Batch {
  return {
    size: labels.length,
    classes,
    features,
    labels,
    slice: (start, end) =>
      batchFrom(
        features.subarray(start * inputSamples, end * inputSamples),
        labels.subarray(start, end),
        classes,
      ),
  };
}
