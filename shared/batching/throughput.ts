import type { Clock } from '../runtime/clock';

/** Share of what is known that each answer leaves in force: some twenty answers are remembered, however fast they came. */
const memory = 0.95;
/** What an answer is taken to need before the first one came. */
const assumedMs = 50;
/** Callers of which the pace is remembered at most, but for those that are inside. */
const mostRemembered = 256;

/** How fast one caller is answered while it has something inside. Time without answers counts: nothing is forgotten by waiting. */
class Pace {
  readonly #clock: Clock;
  #inside = 0;
  #sinceMs = 0;
  #busyMs = assumedMs;
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
    this.#busyMs *= memory;
    this.#answers = memory * (this.#answers + 1);
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
 * How long recordings stay, by Little’s law, for each caller by itself: callers take turns at everything, so what others have
 * inside, few or many, long or short, shows in the pace at which a caller's own recordings are answered, and nowhere else.
 */
export class Throughput {
  readonly #clock: Clock;
  /** Who was here last stands last. */
  readonly #paces = new Map<string, Pace>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Callers of which something is known. */
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

  /** @param answered whether it got its answer; who was called off says nothing of the pace */
  leave(caller: string, answered: boolean): void {
    this.#paces.get(caller)?.leave(answered);
  }

  /**
   * How long one more of a caller's recordings would stay, in milliseconds.
   * @param ahead its recordings that came before; where there are none nothing is foretold: the next may be of another kind
   */
  predictMs(caller: string, ahead: number): number {
    if (ahead === 0) return 0;
    return (ahead + 1) * (this.#paces.get(caller)?.msPerAnswer ?? assumedMs);
  }

  #forget(): void {
    if (this.#paces.size <= mostRemembered) return;
    for (const [caller, { inside }] of this.#paces) {
      if (inside > 0) continue;
      this.#paces.delete(caller);
      return;
    }
  }
}
