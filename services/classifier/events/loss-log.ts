import type { Clock } from '../../../shared/runtime/clock';

/** A kind of loss is logged at most this often. */
const quietMs = 60_000;

/** Logs losses of events: the first at once, those of the following minute as one line. */
export class LossLog {
  readonly #clock: Clock;
  readonly #log: (events: number, why: string) => void;
  readonly #unsaid = new Map<string, number>();

  constructor(clock: Clock, log: (events: number, why: string) => void) {
    this.#clock = clock;
    this.#log = log;
  }

  add(events: number, why: string): void {
    const unsaid = this.#unsaid.get(why);
    if (unsaid !== undefined) {
      this.#unsaid.set(why, unsaid + events);
      return;
    }
    this.#say(events, why);
  }

  #say(events: number, why: string): void {
    this.#log(events, why);
    this.#unsaid.set(why, 0);
    this.#clock.setTimer(() => {
      const unsaid = this.#unsaid.get(why)!;
      this.#unsaid.delete(why);
      if (unsaid > 0) this.#say(unsaid, why);
    }, quietMs);
  }
}
