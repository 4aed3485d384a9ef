import type { FramesFrontEnd, FrontEnd, LogMelFrontEnd } from '../contracts/front-end';
import { encoderOutputs } from '../encoder/mobile-net';
import { joinedSamples, joinFrames } from './frames';
import { logMelCrops } from './log-mel';

/** A front end that is computed without a network. */
export type PlainFrontEnd = FramesFrontEnd | LogMelFrontEnd;

/** Returns the length of one input of the network. */
export function inputLength(frontEnd: FrontEnd): number {
  switch (frontEnd.kind) {
    case 'frames':
      return joinedSamples(frontEnd);
    case 'log-mel':
      return frontEnd.cropFrames * frontEnd.melBins;
    case 'encoder':
      return encoderOutputs;
  }
}

/** Returns the maximum number of inputs per window. */
export function inputsPerWindow(frontEnd: PlainFrontEnd): number {
  return frontEnd.kind === 'log-mel' ? frontEnd.crops : 1;
}

/**
 * Computes the inputs of a network from a window, for any front end: one input or several, whose
 * probabilities are averaged.
 * @param window mono at the front end's rate, cut to its length; a shorter one is padded as the front end requires
 * @returns at least one array of `inputLength(frontEnd)`
 */
export function windowInputs(window: Float32Array, frontEnd: PlainFrontEnd): Float32Array[] {
  const length = inputLength(frontEnd);
  const memory = new Float32Array(inputsPerWindow(frontEnd) * length);
  const count = writeWindowInputs(window, frontEnd, memory, 0);
  return Array.from({ length: count }, (_, input) => memory.subarray(input * length, (input + 1) * length));
}

/**
 * Writes the result of `windowInputs` to `out` from `offset` on: at most `inputsPerWindow(frontEnd)` inputs.
 * @returns the number of inputs
 */
export function writeWindowInputs(
  window: Float32Array,
  frontEnd: PlainFrontEnd,
  out: Float32Array,
  offset: number,
): number {
  switch (frontEnd.kind) {
    case 'frames':
      joinFrames(window, frontEnd, out, offset);
      return 1;
    case 'log-mel': {
      const crops = logMelCrops(window, frontEnd);
      crops.forEach((crop, index) => {
        out.set(crop, offset + index * crop.length);
      });
      return crops.length;
    }
  }
}
