/**
 * Growing pauses between attempts, scattered so that a thousand clients do not come back in the same
 * moment.
 */
export interface Backoff {
  /** Milliseconds to wait before the next attempt; not shorter than what the service asked for. */
  next(retryAfterSeconds?: number): number;
  reset(): void;
}

export function createBackoff(firstMs: number, maxMs: number, random: () => number = Math.random): Backoff {
  let attempts = 0;
  return {
    next(retryAfterSeconds = 0) {
      const pauseMs = Math.min(maxMs, firstMs * 2 ** attempts);
      attempts += 1;
      return Math.max(retryAfterSeconds * 1000, pauseMs) * (1 + random() / 4);
    },
    reset() {
      attempts = 0;
    },
  };
}
