import type { Clock } from '../../../../shared/runtime/clock';

/** What a silent window costs while nobody knows what a window costs on the engine, and at least. */
const unknownMs = 10;
const leastMs = 2;

/**
 * Silent windows are answered without the engine. A sender that sends faster than real time is made to wait for them as if they had
 * been there, all such senders together: else silence could be sent as fast as it can be read, and what is done for each second of it
 * would take the whole event loop.
 */
export class SilencePace {
  readonly #clock: Clock;
  readonly #engineMs: () => number;
  #freeAtMs = 0;

  /** @param engineMs what a window costs on the engine; 0 while that is not known */
  constructor(clock: Clock, engineMs: () => number) {
    this.#clock = clock;
    this.#engineMs = engineMs;
  }

  /** Resolves when so many silent windows have had their time, or the signal aborts. */
  async pass(windows: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.now();
    const eachMs = Math.max(leastMs, this.#engineMs() || unknownMs);
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + windows * eachMs;
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
