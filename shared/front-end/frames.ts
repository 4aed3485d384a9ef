import { windowSamples, type FramesFrontEnd } from '../contracts/front-end';
import type { InputComputation } from './input-computation';

/** Returns the number of frames in a window, and their length and hop in samples. */
function frameLayout(frontEnd: FramesFrontEnd): { count: number; length: number; hop: number } {
  const length = Math.round(frontEnd.sampleRate * frontEnd.frameSeconds);
  const hop = Math.round(frontEnd.sampleRate * frontEnd.hopSeconds);
  const count = Math.floor((windowSamples(frontEnd) - length) / hop) + 1;
  if (length < 1 || hop < 1 || count < 1) {
    throw new RangeError(
      `expected frames that fit the window, got frames of ${length} samples every ${hop} in ${windowSamples(frontEnd)}`,
    );
  }
  return { count, length, hop };
}

/** One input per window. */
export const framesInputs: InputComputation<FramesFrontEnd> = {
  inputLength: joinedSamples,
  inputsPerWindow: () => 1,
  write(window, frontEnd, out, offset) {
    joinFrames(window, frontEnd, out, offset);
    return 1;
  },
};

/**
 * Returns the samples in the network's input: frames × frame length (the report's: 9 × 16,000 =
 * 144,000).
 */
export function joinedSamples(frontEnd: FramesFrontEnd): number {
  const { count, length } = frameLayout(frontEnd);
  return count * length;
}

/**
 * Computes the network's input from one window (report, "Data"). The window is padded with zeros or cut
 * to the front end's length; then its overlapping frames are concatenated. Sample i of frame f is the
 * window's sample f · hop + i. The result goes to `out` from `outOffset` on, or to a new array of
 * `joinedSamples(frontEnd)`.
 * @returns the array with the result
 * @throws RangeError when `out` is too small or no frame fits the window
 */
export function joinFrames(
  window: Float32Array,
  frontEnd: FramesFrontEnd,
  out: Float32Array = new Float32Array(joinedSamples(frontEnd)),
  outOffset = 0,
): Float32Array {
  const { count, length, hop } = frameLayout(frontEnd);
  if (outOffset < 0 || outOffset + count * length > out.length) {
    throw new RangeError(
      `expected room for ${count * length} samples from ${outOffset} on, got ${out.length} in all`,
    );
  }
  const heard = window.subarray(0, windowSamples(frontEnd));
  for (let frame = 0; frame < count; frame += 1) {
    const at = outOffset + frame * length;
    const part = heard.subarray(frame * hop, frame * hop + length);
    out.set(part, at);
    out.fill(0, at + part.length, at + length);
  }
  return out;
}
