import type { FramesFrontEnd, LogMelFrontEnd, View } from '../contracts/front-end';
import { encoderOutputs } from '../encoder/mobile-net';
import { joinedSamples, joinFrames } from './frames';
import { logMelCrops } from './log-mel';

/** A view that is computed without a network. */
export type PlainView = FramesFrontEnd | LogMelFrontEnd;

/** Returns the length of one input of the network. */
export function inputLength(view: View): number {
  switch (view.kind) {
    case 'frames':
      return joinedSamples(view);
    case 'log-mel':
      return view.cropFrames * view.melBins;
    case 'encoder':
      return encoderOutputs;
  }
}

/** Returns the maximum number of inputs per window. */
export function inputsPerWindow(view: View): number {
  return view.kind === 'log-mel' ? view.crops : 1;
}

/**
 * Computes the inputs of a network from a window, for any view: one input or several, whose
 * probabilities are averaged.
 * @param window mono at the view's rate, cut to its length; a shorter one is padded as the view requires
 * @returns at least one array of `inputLength(view)`
 */
export function windowInputs(window: Float32Array, view: PlainView): Float32Array[] {
  const length = inputLength(view);
  const memory = new Float32Array(inputsPerWindow(view) * length);
  const count = writeWindowInputs(window, view, memory, 0);
  return Array.from({ length: count }, (_, input) => memory.subarray(input * length, (input + 1) * length));
}

/**
 * Writes the result of `windowInputs` to `out` from `offset` on: at most `inputsPerWindow(view)` inputs.
 * @returns the number of inputs
 */
export function writeWindowInputs(
  window: Float32Array,
  view: PlainView,
  out: Float32Array,
  offset: number,
): number {
  switch (view.kind) {
    case 'frames':
      joinFrames(window, view, out, offset);
      return 1;
    case 'log-mel': {
      const crops = logMelCrops(window, view);
      crops.forEach((crop, index) => {
        out.set(crop, offset + index * crop.length);
      });
      return crops.length;
    }
  }
}
