import { AppError } from '../errors/app-error';

/** Bounds of batches, which may change while a batcher works, because its engine does. */
export interface BatchLimits {
  /** Maximum number of items in a batch. */
  readonly maxItems: number;
  /**
   * Maximum number of batches that run at a time; 1 by default. A second one suits an engine that
   * prepares it while the first is computed.
   */
  readonly inFlight?: number;
}

export interface QueueLimits {
  /** Maximum time for which the oldest waiting item is held back to fill a batch. */
  readonly maxDelayMs: number;
  /**
   * Maximum number of waiting items in each lane; a group that does not fit completely is refused. A
   * caller with less than half of them can always use its half, so at most twice as many items wait.
   */
  readonly maxQueuedItems: number;
}

/** @throws AppError invalid-configuration for limits with which no item would ever run */
export function checkedLimits(limits: BatchLimits & QueueLimits): Required<BatchLimits> {
  const { maxItems, inFlight = 1, maxQueuedItems, maxDelayMs } = limits;
  if (maxItems >= 1 && inFlight >= 1 && maxQueuedItems >= maxItems && maxDelayMs >= 0)
    return { maxItems, inFlight };
  const got = JSON.stringify({ maxItems, inFlight, maxDelayMs, maxQueuedItems });
  throw new AppError(
    'invalid-configuration',
    `A batcher needs 1 ≤ maxItems ≤ maxQueuedItems, inFlight ≥ 1 and maxDelayMs ≥ 0; got ${got}.`,
  );
}
