export interface ClipWindow {
  readonly startSeconds: number;
  /** Where the window's own sound ends: the clip's end at the latest. */
  readonly endSeconds: number;
  /** A view of the clip, not padded. */
  readonly samples: Float32Array;
}

/** A tail shorter than this gets no window of its own: encoders pad a clip by as much (ESC-10's five seconds last 5.001 s). */
export const minTailSeconds = 0.05;

/**
 * A clip cut into the windows that are judged one by one. A clip no longer than a window (plus an encoder's padding) is one
 * window. A longer one gives a window at every multiple of the hop while a full window fits, and one more that ends with the
 * clip when 0.05 s or more would otherwise stay unheard. Lengths are in seconds; the samples are at `sampleRate` Hz.
 * @throws RangeError for a window or hop that is not at least a sample long
 */
export function sliceWindows(
  samples: Float32Array,
  sampleRate: number,
  windowSeconds: number,
  hopSeconds: number,
): ClipWindow[] {
  const window = Math.round(windowSeconds * sampleRate);
  const hop = hopSeconds * sampleRate;
  if (!(window >= 1) || !(hop >= 1)) {
    throw new RangeError(
      `expected a window and a hop of at least a sample, got ${windowSeconds} and ${hopSeconds} s`,
    );
  }
  const cut = (start: number): ClipWindow => {
    const end = Math.min(samples.length, start + window);
    return {
      startSeconds: start / sampleRate,
      endSeconds: end / sampleRate,
      samples: samples.subarray(start, end),
    };
  };
  if (samples.length <= window) return [cut(0)];

  const windows: ClipWindow[] = [];
  let covered = 0;
  for (let index = 0; Math.round(index * hop) + window <= samples.length; index += 1) {
    const start = Math.round(index * hop);
    windows.push(cut(start));
    covered = start + window;
  }
  if (samples.length - covered >= minTailSeconds * sampleRate) windows.push(cut(samples.length - window));
  return windows;
}
