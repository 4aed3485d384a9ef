import type { BatchLimits } from '../../../../shared/batching/batch-limits';
import type { EngineChoice } from '../../../../shared/compute/provide/choose-engine';

/** Windows in the largest batch, where nobody set it. A GPU computes many as fast as few. */
const windowsByDefault = { cuda: 64, cpu: 16, wasm: 16 } as const;

/** What was set of batches. */
export interface BatchSettings {
  readonly batchMaxWindows: number | undefined;
  readonly queueMaxWindows: number;
}

/**
 * Bounds of the batches that an engine is given. One that computes beside the thread that asks it has
 * two at a time: that thread makes the next batch's inputs meanwhile.
 */
export function batchLimits(
  { kind, kernels }: EngineChoice,
  { batchMaxWindows, queueMaxWindows }: BatchSettings,
): Required<BatchLimits> {
  const isBeside = kind === 'cuda' && kernels?.computes !== 'networks';
  return {
    maxItems: batchMaxWindows ?? Math.min(windowsByDefault[kind], queueMaxWindows),
    inFlight: isBeside ? 2 : 1,
  };
}
