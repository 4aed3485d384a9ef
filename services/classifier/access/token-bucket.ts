import type { Clock } from '../../../shared/runtime/clock';

/** Limits requests to a mean rate a minute. A burst may be as large as ten seconds' worth of it. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #capacity: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledMs: number;

  constructor(perMinute: number, clock: Clock) {
    this.#perMs = perMinute / 60_000;
    this.#capacity = Math.max(1, perMinute / 6);
    this.#clock = clock;
    this.#tokens = this.#capacity;
    this.#filledMs = clock.now();
  }

  /** Takes a token. @returns 0 if there was one, else the milliseconds until there will be one */
  take(): number {
    const nowMs = this.#clock.now();
    this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#filledMs) * this.#perMs);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return (1 - this.#tokens) / this.#perMs;
    this.#tokens--;
    return 0;
  }
}
