import { SlidingWindows, type SlidingWindow, type SlidingWindowsOptions } from './sliding-windows';

export interface RecordingWindowsOptions extends Omit<SlidingWindowsOptions, 'leadIn'> {
  /** Step between the windows in which events are detected; undefined where none are. */
  readonly eventHopSeconds: number | undefined;
}

export interface RecordingWindow extends SlidingWindow {
  /** Whether it is one of the windows that `sliceWindows` cuts. */
  readonly isListed: boolean;
  /** Whether it is one of the windows that a stream of the recording has at `eventHopSeconds`. */
  readonly isForEvents: boolean;
}

/**
 * Cuts a recording that is still being decoded into the windows that are listed in its answer and those
 * in which events are detected, in the order of their ends. A window that is both is cut once.
 *
 * The object holds the samples that later windows still need.
 */
export class RecordingWindows {
  readonly #listed: SlidingWindows;
  readonly #forEvents: SlidingWindows | undefined;
  readonly #sampleRate: number;

  constructor({ eventHopSeconds, ...options }: RecordingWindowsOptions) {
    this.#sampleRate = options.sampleRate;
    this.#listed = new SlidingWindows({ ...options, leadIn: false });
    if (eventHopSeconds === undefined) return;
    this.#forEvents = new SlidingWindows({ ...options, hopSeconds: eventHopSeconds });
  }

  /** Duration of what was received so far. */
  get receivedSeconds(): number {
    return this.#listed.receivedSamples / this.#sampleRate;
  }

  push(samples: Float32Array): void {
    this.#listed.push(samples);
    this.#forEvents?.push(samples);
  }

  /**
   * Returns the next window; undefined while it is incomplete. A window for events that ends with what
   * was received waits for more, or for `finish`: the recording may end there, and list it too.
   */
  take(): RecordingWindow | undefined {
    const listedEnd = this.#listed.nextEndSeconds;
    const eventEnd = this.#forEvents?.nextEndSeconds ?? Infinity;
    if (eventEnd < listedEnd && eventEnd >= this.receivedSeconds) return undefined;
    const listed = listedEnd <= eventEnd ? this.#listed.take() : undefined;
    const forEvents = eventEnd <= listedEnd ? this.#forEvents?.take() : undefined;
    return merged(listed, forEvents);
  }

  /**
   * Ends the recording. Call it when `take` returns nothing more.
   * @returns the window at its end, if it contains new samples
   */
  finish(): RecordingWindow | undefined {
    // Both end with the recording, and are equally long.
    const forEvents = this.#forEvents?.take() ?? this.#forEvents?.finish();
    return merged(this.#listed.finish(), forEvents);
  }
}

function merged(
  listed: SlidingWindow | undefined,
  forEvents: SlidingWindow | undefined,
): RecordingWindow | undefined {
  const window = listed ?? forEvents;
  return window && { ...window, isListed: listed !== undefined, isForEvents: forEvents !== undefined };
}
