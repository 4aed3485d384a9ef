import { windowSamples, type FrontEnd } from '../contracts/front-end';

/** Length of the network's input for one window: 9 frames of 16,000 samples for the report's front end. */
export function framedSamples(frontEnd: FrontEnd): number {
  const { frameSamples, count } = layout(frontEnd);
  return frameSamples * count;
}

/**
 * Lays a window's overlapping frames end to end, as the report feeds its networks: 80,000 samples become
 * 9 × 16,000, with a hop of 8,000 (report, "Data").
 *
 * @param window mono at the front end's rate; zeros stand in for what is missing at its end, what is beyond the
 *   window is left out
 * @param out where to write, default a new array; @param offset first index in it
 * @returns `out`
 */
export function joinFrames(
  window: Float32Array,
  frontEnd: FrontEnd,
  out: Float32Array = new Float32Array(framedSamples(frontEnd)),
  offset = 0,
): Float32Array {
  const { frameSamples, hopSamples, count, total } = layout(frontEnd);
  const samples = window.length > total ? window.subarray(0, total) : window;
  for (let frame = 0; frame < count; frame++) {
    const target = offset + frame * frameSamples;
    const start = frame * hopSamples;
    const piece = samples.subarray(start, start + frameSamples);
    out.set(piece, target);
    out.fill(0, target + piece.length, target + frameSamples);
  }
  return out;
}

function layout(frontEnd: FrontEnd): {
  frameSamples: number;
  hopSamples: number;
  count: number;
  total: number;
} {
  const total = windowSamples(frontEnd);
  const frameSamples = Math.round(frontEnd.frameSeconds * frontEnd.sampleRate);
  const hopSamples = Math.round(frontEnd.hopSeconds * frontEnd.sampleRate);
  return { frameSamples, hopSamples, count: Math.floor((total - frameSamples) / hopSamples) + 1, total };
}
