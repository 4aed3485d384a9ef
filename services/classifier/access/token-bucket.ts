import type { Clock } from '../../../shared/runtime/clock';

/** So many requests a minute on average; as many as fit into ten seconds of it may come at once. */
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

  /** @returns 0 for a request that may go on, or the milliseconds until it may */
  take(): number {
    const nowMs = this.#clock.now();
    this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#filledMs) * this.#perMs);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return (1 - this.#tokens) / this.#perMs;
    this.#tokens--;
    return 0;
  }
}
