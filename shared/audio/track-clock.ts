/** Timestamps jitter by so much, rounding to milliseconds included; a hole is longer. */
const toleranceSeconds = 0.1;
/** A clock that falls behind by more was set anew. */
const resetSeconds = 0.5;

/**
 * Where a track's sound belongs by its container's clock. Sound that comes later than the sound before it ends leaves a hole
 * (lost packets, a pause of the sender, a track that begins late), which is to be filled with silence, so that what
 * follows keeps its time. Sound that comes earlier is played behind what there is: nothing is left out. A clock
 * that goes back is taken for one that was set anew.
 */
export class TrackClock {
  readonly #sampleRate: number;
  /** Samples that were placed: sound and silence. */
  #samples = 0;
  /** What the container's clock says at sample 0. */
  #originSeconds = 0;

  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
  }

  /** @returns samples of silence that belong before sound that starts at `seconds`, 0 being the recording's start */
  holeBefore(seconds: number): number {
    const late = seconds - this.#originSeconds - this.#samples / this.#sampleRate;
    if (late < -resetSeconds) this.#originSeconds += late;
    return late < toleranceSeconds ? 0 : Math.round(late * this.#sampleRate);
  }

  /** So many samples of sound or silence were placed. */
  advance(samples: number): void {
    this.#samples += samples;
  }
}
