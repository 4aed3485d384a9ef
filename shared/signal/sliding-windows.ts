import { minTailSeconds } from './windows';

export interface SlidingWindow {
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** A copy, not padded. */
  readonly samples: Float32Array;
  /** How many of them, at the end, no window before this one held. */
  readonly newSamples: number;
}

export interface SlidingWindowsOptions {
  readonly sampleRate: number;
  readonly windowSeconds: number;
  readonly hopSeconds: number;
}

export interface SkippedWindows {
  readonly windows: number;
  /** The stretch that no window covers for it, if there is one. */
  readonly unheard: { readonly startSeconds: number; readonly endSeconds: number } | undefined;
}

/** The first window is cut when so much has come. */
const firstSeconds = 1;

/**
 * The windows of a signal that is still coming in. They end on the grid of `sliceWindows`, so that every window of a
 * recording sent as a file is also one of the same recording streamed: at a window's length plus multiples of the hop, also
 * backwards from there to 1 s, the first windows being shorter than the rest. `finish` adds the tail as `sliceWindows` does.
 *
 * This object owns what is remembered of a stream between two windows.
 */
export class SlidingWindows {
  readonly #rate: number;
  readonly #window: number;
  readonly #hop: number;
  #buffer = new Float32Array(0);
  /** Position of the buffer's first sample in the signal, and samples in it. */
  #bufferStart = 0;
  #bufferLength = 0;
  #nextEnd: number;
  /** The next end is this many hops behind the first full window. */
  #nextIndex: number;
  #covered = 0;
  #finished = false;

  constructor({ sampleRate, windowSeconds, hopSeconds }: SlidingWindowsOptions) {
    this.#rate = sampleRate;
    this.#window = Math.round(windowSeconds * sampleRate);
    this.#hop = hopSeconds * sampleRate;
    if (!(this.#window >= 1) || !(this.#hop >= 1)) {
      throw new RangeError(
        `expected a window and a hop of at least a sample, got ${windowSeconds} and ${hopSeconds} s`,
      );
    }
    this.#nextEnd = Math.min(Math.round(firstSeconds * sampleRate), this.#window);
    this.#nextIndex = Math.floor((this.#nextEnd - this.#window) / this.#hop) - 1;
  }

  /** Samples that have come in all. */
  get receivedSamples(): number {
    return this.#bufferStart + this.#bufferLength;
  }

  /** Sound that no window has covered yet. */
  get waitingSeconds(): number {
    return (this.receivedSamples - this.#covered) / this.#rate;
  }

  /** Position at which the next window will end. */
  get nextEndSeconds(): number {
    return this.#nextEnd / this.#rate;
  }

  push(samples: Float32Array): void {
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

  /** The next window, if all of it has come. */
  take(): SlidingWindow | undefined {
    const end = this.#nextEnd;
    if (this.#finished || end > this.receivedSamples) return undefined;
    const window = this.#cut(end);
    this.#step();
    return window;
  }

  /** Leaves out windows that are complete, all but the newest `keep`. */
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
   * These windows for another listener, from here on: what was taken stays taken, and none is missing.
   * @param windowSeconds at most what it was: what came before is not there any more
   * @param resample from this rate to `sampleRate`
   */
  continued(
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

  /** The signal is over: the window that ends with it, if it holds what no other did. Call it when `take` gives nothing more. */
  finish(): SlidingWindow | undefined {
    if (this.#finished) return undefined;
    this.#finished = true;
    const end = this.receivedSamples;
    const least = end <= this.#window ? 1 : minTailSeconds * this.#rate;
    return end - this.#covered >= least && end > 0 ? this.#cut(end) : undefined;
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
    const samples = this.#buffer.slice(start - this.#bufferStart, end - this.#bufferStart);
    const newSamples = Math.min(samples.length, end - this.#covered);
    this.#covered = end;
    return { startSeconds: start / this.#rate, endSeconds: end / this.#rate, samples, newSamples };
  }

  /** Moves what can still be part of a window to the front once that makes room worth it. */
  #forget(): void {
    const needless = Math.max(0, this.#nextEnd - this.#window) - this.#bufferStart;
    // The tail of a stream may reach back further than its next window: a window from the end of what is there now.
    const keepFrom = Math.min(needless, this.#bufferLength - this.#window);
    if (keepFrom < this.#hop && keepFrom < this.#rate) return;
    this.#buffer.copyWithin(0, keepFrom, this.#bufferLength);
    this.#bufferStart += keepFrom;
    this.#bufferLength -= keepFrom;
  }
}
