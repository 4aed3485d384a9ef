import type { Clock } from '../runtime/clock';

/** For how long what happened is remembered. */
const memoryMs = 10_000;
/** What has only just begun is looked at over this time. */
const leastMs = 1000;

/** How much of something happens in a second, over the last ten or so. */
export class RecentRate {
  readonly #clock: Clock;
  readonly #sinceMs: number;
  #atMs: number;
  #amount = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.now();
    this.#atMs = this.#sinceMs;
  }

  add(amount: number): void {
    this.#forget();
    this.#amount += amount;
  }

  get perSecond(): number {
    this.#forget();
    const ageMs = Math.max(leastMs, this.#atMs - this.#sinceMs);
    const rememberedMs = memoryMs * (1 - Math.exp(-ageMs / memoryMs));
    return (1000 * this.#amount) / rememberedMs;
  }

  #forget(): void {
    const nowMs = this.#clock.now();
    this.#amount *= Math.exp((this.#atMs - nowMs) / memoryMs);
    this.#atMs = nowMs;
  }
}
