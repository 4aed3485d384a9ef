import type { Clock } from './clock';

/** The first wait. It doubles after each failure, up to `maxMs`. */
const firstMs = 2000;
const maxMs = 60_000;

/** Computes and waits the pauses between attempts at something that fails. */
export class Backoff {
  readonly #clock: Clock;
  #failures = 0;
  #hasEnded = false;
  #endWait: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Counts a failure.
   * @returns how long to wait before the next attempt, in milliseconds
   */
  failed(): number {
    return Math.min(maxMs, firstMs * 2 ** this.#failures++);
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** Resolves after `ms` milliseconds, or as soon as `end` is called. */
  async wait(ms: number): Promise<void> {
    if (this.#hasEnded) return;
    await new Promise<void>((resolve) => {
      const stop = this.#clock.setTimer(resolve, ms);
      this.#endWait = () => {
        stop();
        resolve();
      };
    });
  }

  end(): void {
    this.#hasEnded = true;
    this.#endWait?.();
  }
}
