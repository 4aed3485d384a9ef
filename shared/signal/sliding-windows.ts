import { minTailSeconds } from './windows';

export interface SlidingWindow {
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** A copy, or a view of the whole signal where that was given; not padded. */
  readonly samples: Float32Array;
  /** Number of samples at the end that no earlier window contained. */
  readonly newSamples: number;
}

export interface SlidingWindowsOptions {
  readonly sampleRate: number;
  readonly windowSeconds: number;
  readonly hopSeconds: number;
  /** Whether shorter windows are cut before the first full one; they are unless this is false. */
  readonly leadIn?: boolean;
  /** The whole signal, where it is there already: windows are views of it, and nothing is pushed. */
  readonly whole?: Float32Array;
}

export interface SkippedWindows {
  readonly windows: number;
  /** The part that no window covers because of that; undefined where all is covered. */
  readonly unheard: { readonly startSeconds: number; readonly endSeconds: number } | undefined;
}

/** The first window is cut after this much of the signal. */
const firstSeconds = 1;

/**
 * Cuts windows out of a signal that is still arriving. They end on the grid of `sliceWindows`: at the
 * window length plus multiples of the hop. Every window of an uploaded recording is therefore also one
 * of the same recording streamed. The grid continues backwards to 1 s with shorter windows at the start.
 * `finish` adds the tail as `sliceWindows` does. Without the shorter windows (`leadIn: false`) these are
 * the windows of `sliceWindows` and no others.
 *
 * The object holds the samples that later windows still need.
 */
export class SlidingWindows {
  readonly #rate: number;
  readonly #window: number;
  readonly #hop: number;
  readonly #isWhole: boolean;
  #buffer: Float32Array = new Float32Array(0);
  /** Position of the buffer's first sample in the signal, and number of samples in the buffer. */
  #bufferStart = 0;
  #bufferLength = 0;
  #nextEnd: number;
  /** The next window ends this many hops after the first full one; negative before it. */
  #nextIndex: number;
  #covered = 0;
  #finished = false;

  constructor({ sampleRate, windowSeconds, hopSeconds, leadIn = true, whole }: SlidingWindowsOptions) {
    this.#rate = sampleRate;
    this.#window = Math.round(windowSeconds * sampleRate);
    this.#hop = hopSeconds * sampleRate;
    if (!(this.#window >= 1) || !(this.#hop >= 1)) {
      throw new RangeError(
        `expected a window and a hop of at least a sample, got ${windowSeconds} and ${hopSeconds} s`,
      );
    }
    this.#isWhole = whole !== undefined;
    this.#buffer = whole ?? new Float32Array(0);
    this.#bufferLength = this.#buffer.length;
    this.#nextEnd = leadIn ? Math.min(Math.round(firstSeconds * sampleRate), this.#window) : this.#window;
    this.#nextIndex = Math.floor((this.#nextEnd - this.#window) / this.#hop) - 1;
  }

  /** Number of samples received so far. */
  get receivedSamples(): number {
    return this.#bufferStart + this.#bufferLength;
  }

  /** Duration of the signal that no window has covered yet. */
  get waitingSeconds(): number {
    return (this.receivedSamples - this.#covered) / this.#rate;
  }

  /** Time at which the next window will end. */
  get nextEndSeconds(): number {
    return this.#nextEnd / this.#rate;
  }

  push(samples: Float32Array): void {
    if (this.#isWhole) throw new Error('nothing follows a whole signal');
    this.#forget();
    const needed = this.#bufferLength + samples.length;
    if (needed > this.#buffer.length) {
      const larger = new Float32Array(Math.max(needed, Math.min(2 * needed, needed + this.#window)));
      larger.set(this.#buffer.subarray(0, this.#bufferLength));
      this.#buffer = larger;
    }
    this.#buffer.set(samples, this.#bufferLength);
    this.#bufferLength = needed;
  }

  /** Returns the next window; undefined while it is incomplete. */
  take(): SlidingWindow | undefined {
    const end = this.#nextEnd;
    if (this.#finished || end > this.receivedSamples) return undefined;
    const window = this.#cut(end);
    this.#step();
    return window;
  }

  /** Skips complete windows except the newest `keep`. */
  skip(keep: number): SkippedWindows {
    const ends = this.#dueEnds();
    const kept = ends.at(-keep);
    if (kept === undefined || ends.length <= keep) return { windows: 0, unheard: undefined };
    const from = this.#covered;
    while (this.#nextEnd < kept) this.#step();
    const until = kept - this.#window;
    const windows = ends.length - keep;
    if (until <= from) return { windows, unheard: undefined };
    this.#covered = until;
    return { windows, unheard: { startSeconds: from / this.#rate, endSeconds: until / this.#rate } };
  }

  /**
   * Creates windows for another model that continue here: windows taken already are not repeated, and
   * none is missing.
   * @param windowSeconds at most the present length, because older samples are gone
   * @param resample from the present rate to `sampleRate`
   */
  continueWith(
    { sampleRate, windowSeconds }: Omit<SlidingWindowsOptions, 'hopSeconds'>,
    resample: (samples: Float32Array) => Float32Array,
  ): SlidingWindows {
    const scaled = (position: number): number => Math.round((position * sampleRate) / this.#rate);
    const next = new SlidingWindows({ sampleRate, windowSeconds, hopSeconds: this.#hop / this.#rate });
    next.#bufferStart = scaled(this.#bufferStart);
    next.#buffer = Float32Array.from(resample(this.#buffer.slice(0, this.#bufferLength)));
    next.#bufferLength = next.#buffer.length;
    next.#nextEnd = scaled(this.#nextEnd);
    next.#nextIndex = Math.floor((next.#nextEnd - next.#window) / next.#hop) - 1;
    next.#covered = scaled(this.#covered);
    next.#finished = this.#finished;
    return next;
  }

  /**
   * Ends the signal. Call it when `take` returns nothing more.
   * @returns the window at the end of the signal, if it contains new samples
   */
  finish(): SlidingWindow | undefined {
    if (this.#finished) return undefined;
    this.#finished = true;
    const end = this.receivedSamples;
    const minTailSamples = end <= this.#window ? 1 : minTailSeconds * this.#rate;
    return end - this.#covered >= minTailSamples && end > 0 ? this.#cut(end) : undefined;
  }

  #dueEnds(): number[] {
    const ends = [];
    let [end, index] = [this.#nextEnd, this.#nextIndex];
    while (end <= this.receivedSamples) {
      ends.push(end);
      [end, index] = this.#after(end, index);
    }
    return ends;
  }

  #after(end: number, index: number): [end: number, index: number] {
    let [next, nextIndex] = [end, index];
    while (next <= end) next = this.#window + Math.round(++nextIndex * this.#hop);
    return [next, nextIndex];
  }

  #step(): void {
    [this.#nextEnd, this.#nextIndex] = this.#after(this.#nextEnd, this.#nextIndex);
  }

  #cut(end: number): SlidingWindow {
    const start = Math.max(this.#bufferStart, end - this.#window);
    const view = this.#buffer.subarray(start - this.#bufferStart, end - this.#bufferStart);
    const samples = this.#isWhole ? view : view.slice();
    const newSamples = Math.min(samples.length, end - this.#covered);
    this.#covered = end;
    return { startSeconds: start / this.#rate, endSeconds: end / this.#rate, samples, newSamples };
  }

  /** Moves the samples that may still be needed to the front, once that frees enough room. */
  #forget(): void {
    const unneeded = Math.max(0, this.#nextEnd - this.#window) - this.#bufferStart;
    // The tail window may reach further back than the next window: a full window from the present end.
    const keepFrom = Math.min(unneeded, this.#bufferLength - this.#window);
    if (keepFrom < this.#hop && keepFrom < this.#rate) return;
    this.#buffer.copyWithin(0, keepFrom, this.#bufferLength);
    this.#bufferStart += keepFrom;
    this.#bufferLength -= keepFrom;
  }
}
