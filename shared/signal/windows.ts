export interface ClipWindow {
  readonly startSeconds: number;
  /** End of the window's audio; at most the end of the clip. */
  readonly endSeconds: number;
  /** A view of the clip, not padded. */
  readonly samples: Float32Array;
}

/**
 * A shorter tail gets no window, because encoders pad clips by this much (ESC-10's five seconds last
 * 5.001 s).
 */
export const minTailSeconds = 0.05;

/**
 * Cuts a clip into windows. A clip that is no longer than a window (plus the padding of an encoder) is
 * one window. In a longer clip a window starts at every multiple of the hop while a full window fits,
 * and one more ends with the clip when 0.05 s or more would remain. Lengths are in seconds; the samples
 * are at `sampleRate` Hz.
 * @throws RangeError for a window or hop shorter than a sample
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
