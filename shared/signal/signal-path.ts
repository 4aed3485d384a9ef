import { createFullScaleGuard, type FullScaleEvent, type SignalStage } from './full-scale-guard';
import { createOffsetRemover } from './offset-remover';
import type { ResampleFilter } from './resample-filter';
import { createResampler, type ResampleArithmetic } from './resample';

export interface SignalPathOptions {
  readonly fromHz: number;
  readonly toHz: number;
  /** Whether a constant offset is removed; the front end decides. */
  readonly removeOffset: boolean;
  readonly arithmetic?: ResampleArithmetic | undefined;
  /** The filter for these rates, where it was designed elsewhere. */
  readonly filter?: ResampleFilter | undefined;
  readonly onEvent: (event: FullScaleEvent) => void;
}

/**
 * Creates the processing of mono audio before it is cut into windows, the same for uploads, streams and
 * training: full-scale guard, offset removal, resampling. The output does not depend on the chunk sizes.
 */
export function createSignalPath({
  fromHz,
  toHz,
  removeOffset,
  arithmetic,
  filter,
  onEvent,
}: SignalPathOptions): SignalStage {
  const stages: readonly SignalStage[] = [
    createFullScaleGuard(fromHz, onEvent),
    ...(removeOffset ? [createOffsetRemover(fromHz)] : []),
    createResampler(fromHz, toHz, arithmetic, filter),
  ];
  return {
    push: (samples) => stages.reduce((signal, stage) => stage.push(signal), samples),
    finish() {
      let rest = new Float32Array(0);
      for (const stage of stages) {
        const parts = [stage.push(rest), stage.finish()] as const;
        rest = new Float32Array(parts[0].length + parts[1].length);
        rest.set(parts[0]);
        rest.set(parts[1], parts[0].length);
      }
      return rest;
    },
  };
}
