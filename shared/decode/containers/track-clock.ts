/**
 * Maximum delay of a track after the start of its recording. With a larger one, the recording was joined
 * later.
 */
export const maxLeadSeconds = 60;

/**
 * Timestamps may jitter by this much, including rounding to milliseconds; only a longer difference is a
 * gap.
 */
const toleranceSeconds = 0.1;
/** A clock this far behind the samples was reset. */
const resetSeconds = 0.5;

/**
 * Places the samples of a track by the timestamps of its container. Samples that come later than the end
 * of the previous ones leave a gap (lost packets, a pause of the sender, a late start), which is filled
 * with silence, so that the rest keeps its time. Samples that come earlier are appended; none are
 * dropped. A clock that goes back counts as reset.
 */
export class TrackClock {
  readonly #sampleRate: number;
  readonly #wrapSeconds: number;
  /** Samples placed so far, including silence. */
  #samples = 0;
  /** The container's time at sample 0. */
  #originSeconds: number;

  /**
   * @param wrapSeconds period of the container's clock; a jump by more than half of it counts as a jump
   * back
   * @param originSeconds the container's time at the start of the recording
   */
  constructor(sampleRate: number, wrapSeconds = Infinity, originSeconds = 0) {
    this.#sampleRate = sampleRate;
    this.#wrapSeconds = wrapSeconds;
    this.#originSeconds = originSeconds;
  }

  /** Duration of the samples and silence placed so far. */
  get seconds(): number {
    return this.#samples / this.#sampleRate;
  }

  /**
   * @param seconds time of the next samples from the start of the recording
   * @returns number of samples of silence before them
   */
  gapBefore(seconds: number): number {
    const ahead = seconds - this.#originSeconds - this.seconds;
    const late = ahead > this.#wrapSeconds / 2 ? ahead - this.#wrapSeconds : ahead;
    if (late < -resetSeconds) this.#originSeconds += ahead;
    return late < toleranceSeconds ? 0 : Math.round(late * this.#sampleRate);
  }

  /** Counts samples or silence as placed. */
  advance(samples: number): void {
    this.#samples += samples;
  }
}
