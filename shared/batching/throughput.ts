import type { Clock } from './clock';

/** For how long of busy time what was seen is remembered. */
const memoryMs = 2000;

/**
 * How fast a service answers when it has enough to do, from the answers it gave while at least two callers were inside: with fewer,
 * their own pace is measured and not the service's.
 */
export class Throughput {
  readonly #clock: Clock;
  #inside = 0;
  #sinceMs = 0;
  #busyMs = 0;
  #answers = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get inside(): number {
    return this.#inside;
  }

  enter(): void {
    this.#pass();
    this.#inside++;
  }

  /** @param answered whether it got its answer; who was called off says nothing of the pace */
  leave(answered: boolean): void {
    this.#pass();
    if (answered && this.#inside >= 2) this.#answers++;
    this.#inside--;
  }

  /**
   * How long a caller that came now would be inside, by Little’s law; 0 while nothing is known.
   * @param ahead who is served before it; all that are inside unless given
   */
  predictMs(ahead = this.#inside): number {
    return this.#answers < 1 ? 0 : ((ahead + 1) * this.#busyMs) / this.#answers;
  }

  #pass(): void {
    const nowMs = this.#clock.now();
    const passedMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    if (this.#inside < 2) return;
    const kept = Math.exp(-passedMs / memoryMs);
    this.#busyMs = kept * this.#busyMs + passedMs;
    this.#answers *= kept;
  }
}
