import type { Clock } from '../../../../shared/runtime/clock';

/** Time charged for a silent window while the engine's time for a window is unknown. */
const defaultMs = 10;
/** Least time charged for a silent window. */
const minMs = 2;

/**
 * Limits the rate of silent windows of senders that are faster than real time. Silent windows do not go
 * to the engine. Such senders wait for them as long as the engine would have taken, all senders in one
 * queue. Without this limit, processing silence as fast as it can be read would occupy the event loop.
 */
export class SilencePace {
  readonly #clock: Clock;
  readonly #engineMs: () => number;
  #freeAtMs = 0;

  /** @param engineMs the engine's time for a window; 0 while unknown */
  constructor(clock: Clock, engineMs: () => number) {
    this.#clock = clock;
    this.#engineMs = engineMs;
  }

  /** Resolves when the time of so many silent windows has passed, or when the signal aborts. */
  async pass(windows: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.now();
    const windowMs = Math.max(minMs, this.#engineMs() || defaultMs);
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + windows * windowMs;
    const waitMs = this.#freeAtMs - nowMs;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stop();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const stop = this.#clock.setTimer(done, waitMs);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
