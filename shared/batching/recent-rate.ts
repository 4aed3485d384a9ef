import type { Clock } from '../runtime/clock';

/** Time constant of the exponential memory. */
const memoryMs = 10_000;
/** A younger measurement is divided by this time, so that the first events give no extreme rate. */
const minAgeMs = 1000;

/** Measures how much of something happens per second, averaged over about ten seconds. */
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
    const ageMs = Math.max(minAgeMs, this.#atMs - this.#sinceMs);
    const rememberedMs = memoryMs * (1 - Math.exp(-ageMs / memoryMs));
    return (1000 * this.#amount) / rememberedMs;
  }

  #forget(): void {
    const nowMs = this.#clock.now();
    this.#amount *= Math.exp((this.#atMs - nowMs) / memoryMs);
    this.#atMs = nowMs;
  }
}
