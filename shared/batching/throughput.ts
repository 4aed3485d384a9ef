import type { Clock } from '../runtime/clock';

/**
 * Factor by which each answer reduces the weight of the earlier ones; about 20 answers count, however
 * fast they came.
 */
const decay = 0.95;
/** Assumed time per answer before the first one, in milliseconds. */
const initialMsPerAnswer = 50;
/** Maximum number of callers whose pace is kept, besides those with requests in progress. */
const maxRemembered = 256;

/**
 * Measures how fast one caller is answered while it has requests in progress. Time without answers
 * counts as well.
 */
class Pace {
  readonly #clock: Clock;
  #inside = 0;
  #sinceMs = 0;
  #busyMs = initialMsPerAnswer;
  #answers = 1;

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

  leave(answered: boolean): void {
    this.#pass();
    this.#inside--;
    if (!answered) return;
    this.#busyMs *= decay;
    this.#answers = decay * (this.#answers + 1);
  }

  get msPerAnswer(): number {
    this.#pass();
    return this.#busyMs / this.#answers;
  }

  #pass(): void {
    const nowMs = this.#clock.now();
    if (this.#inside > 0) this.#busyMs += nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
  }
}

/**
 * Predicts how long a request stays, by Little’s law, for each caller separately. Callers are served
 * round-robin everywhere, so the load of other callers shows only in the pace of a caller's own answers.
 */
export class Throughput {
  readonly #clock: Clock;
  /** Ordered by the latest use; the most recent caller is last. */
  readonly #paces = new Map<string, Pace>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Number of callers with a known pace. */
  get known(): number {
    return this.#paces.size;
  }

  enter(caller: string): void {
    const pace = this.#paces.get(caller) ?? new Pace(this.#clock);
    this.#paces.delete(caller);
    this.#paces.set(caller, pace);
    pace.enter();
    this.#forget();
  }

  /**
   * @param answered whether the request got its answer; a cancelled request does not count for the pace
   */
  leave(caller: string, answered: boolean): void {
    this.#paces.get(caller)?.leave(answered);
  }

  /**
   * Predicts how long one more recording of a caller would stay, in milliseconds.
   * @param ahead number of recordings of this caller in progress. With none the prediction is 0, because
   * the next recording may differ from the earlier ones
   */
  predictMs(caller: string, ahead: number): number {
    if (ahead === 0) return 0;
    return (ahead + 1) * (this.#paces.get(caller)?.msPerAnswer ?? initialMsPerAnswer);
  }

  #forget(): void {
    if (this.#paces.size <= maxRemembered) return;
    for (const [caller, { inside }] of this.#paces) {
      if (inside > 0) continue;
      this.#paces.delete(caller);
      return;
    }
  }
}
