import type { Clock } from '../../../../shared/runtime/clock';

/** A sender that was silent for longer does not make up for all of it faster than real time. */
const creditMs = 5000;

/** How far the sound that came in is ahead of the clock: a live sender's is not, a file's is. */
export class SoundClock {
  readonly #clock: Clock;
  #heardUntilMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#heardUntilMs = clock.now();
  }

  hear(seconds: number): void {
    this.#heardUntilMs = Math.max(this.#heardUntilMs, this.#clock.now() - creditMs) + 1000 * seconds;
  }

  /** Negative for a sender that is behind. */
  get aheadSeconds(): number {
    return (this.#heardUntilMs - this.#clock.now()) / 1000;
  }
}
