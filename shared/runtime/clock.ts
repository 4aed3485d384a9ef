/** The source of time for pure code. Tests pass a clock that they control. */
export interface Clock {
  /** Milliseconds of a monotonic clock; the zero point is arbitrary. */
  now(): number;
  /**
   * Calls `action` once after `delayMs`.
   * @returns a function that cancels the timer
   */
  setTimer(action: () => void, delayMs: number): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(action, delayMs) {
    const timer = setTimeout(action, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};
