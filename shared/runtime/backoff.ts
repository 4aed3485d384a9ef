import type { Clock } from './clock';

const maxMs = 60_000;
/** The first waits: at something of this machine, and at another service. */
const [ownFirstMs, othersFirstMs] = [2000, 1000];

/** A wait that doubles after each failure, up to `maxMs`. @param failures before this one */
function growingMs(firstMs: number, failures: number): number {
  return Math.min(maxMs, firstMs * 2 ** failures);
}

/**
 * The wait after a failed attempt at another service: between half and all of a growing one at random,
 * so that many senders do not come back to a receiver at once.
 * @param failures from 1
 * @param random uniform in [0, 1)
 * @returns milliseconds
 */
export function retryDelayMs(failures: number, random: number): number {
  return growingMs(othersFirstMs, failures - 1) * (0.5 + random / 2);
}

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
    return growingMs(ownFirstMs, this.#failures++);
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
