/**
 * A track may begin this long after its recording does.
 * Where the clock starts later, the recording was joined under way.
 */
export const maxLeadSeconds = 60;

/** Timestamps jitter by up to this, rounding to milliseconds included; only what is longer is a hole. */
const toleranceSeconds = 0.1;
/** A clock that falls behind the sound by more than this was set anew. */
const resetSeconds = 0.5;

/**
 * Where a track's sound belongs by its container's clock. Sound that comes later than the sound before it ends leaves a hole
 * (lost packets, a pause of the sender, a track that begins late), which is to be filled with silence, so that what
 * follows keeps its time. Sound that comes earlier is played behind what there is: nothing is left out. A clock
 * that goes back is taken for one that was set anew.
 */
export class TrackClock {
  readonly #sampleRate: number;
  readonly #wrapSeconds: number;
  /** Samples that were placed: sound and silence. */
  #samples = 0;
  /** What the container's clock says at sample 0. */
  #originSeconds: number;

  /**
   * @param wrapSeconds where the container's clock starts anew by itself; a jump by more than half of it was one back
   * @param originSeconds what it says at the recording's start
   */
  constructor(sampleRate: number, wrapSeconds = Infinity, originSeconds = 0) {
    this.#sampleRate = sampleRate;
    this.#wrapSeconds = wrapSeconds;
    this.#originSeconds = originSeconds;
  }

  /** The length of the sound and silence placed so far. */
  get seconds(): number {
    return this.#samples / this.#sampleRate;
  }

  /** @returns samples of silence that belong before sound that starts at `seconds`, 0 being the recording's start */
  holeBefore(seconds: number): number {
    const ahead = seconds - this.#originSeconds - this.seconds;
    const late = ahead > this.#wrapSeconds / 2 ? ahead - this.#wrapSeconds : ahead;
    if (late < -resetSeconds) this.#originSeconds += ahead;
    return late < toleranceSeconds ? 0 : Math.round(late * this.#sampleRate);
  }

  /** So many samples of sound or silence were placed. */
  advance(samples: number): void {
    this.#samples += samples;
  }
}
