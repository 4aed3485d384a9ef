import { SlidingWindows, type SlidingWindow, type SlidingWindowsOptions } from './sliding-windows';

export interface RecordingWindowsOptions extends Omit<SlidingWindowsOptions, 'leadIn' | 'whole'> {
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
 * Cuts a recording into the windows that are listed in its answer and those in which events are
 * detected, in the order of their ends. A window that is both is cut once. All are views of the samples.
 */
export class RecordingWindows {
  readonly #listed: SlidingWindows;
  readonly #forEvents: SlidingWindows | undefined;
  /** Duration of the recording. */
  readonly durationSeconds: number;

  constructor(samples: Float32Array, { eventHopSeconds, ...options }: RecordingWindowsOptions) {
    this.durationSeconds = samples.length / options.sampleRate;
    this.#listed = new SlidingWindows({ ...options, leadIn: false, whole: samples });
    if (eventHopSeconds === undefined) return;
    this.#forEvents = new SlidingWindows({ ...options, hopSeconds: eventHopSeconds, whole: samples });
  }

  /**
   * Returns the next window; undefined where only the end is left. A window for events that ends with the
   * recording belongs to `finish`, because it may be listed too.
   */
  take(): RecordingWindow | undefined {
    const listedEnd = this.#listed.nextEndSeconds;
    const eventEnd = this.#forEvents?.nextEndSeconds ?? Infinity;
    if (eventEnd < listedEnd && eventEnd >= this.durationSeconds) return undefined;
    const listed = listedEnd <= eventEnd ? this.#listed.take() : undefined;
    const forEvents = eventEnd <= listedEnd ? this.#forEvents?.take() : undefined;
    return merged(listed, forEvents);
  }

  /**
   * Returns the window at the end of the recording, if it contains new samples. Call it when `take` returns
   * nothing more.
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
