import type { Clock } from '../../../../shared/runtime/clock';

/** A sender that has paused may catch up at most this much faster than real time. */
const creditMs = 5000;

/**
 * Measures how far received sound is ahead of real time: not at all from a live sender, far from a file.
 */
export class SoundClock {
  readonly #clock: Clock;
  #receivedUntilMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#receivedUntilMs = clock.now();
  }

  advance(seconds: number): void {
    this.#receivedUntilMs = Math.max(this.#receivedUntilMs, this.#clock.now() - creditMs) + 1000 * seconds;
  }

  /** Seconds ahead of real time; negative for a sender that is behind. */
  get aheadSeconds(): number {
    return (this.#receivedUntilMs - this.#clock.now()) / 1000;
  }
}
