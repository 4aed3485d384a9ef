import type { FrontEnd } from '../contracts/front-end';
import { joinedSamples, joinFrames } from './frames';
import { logMelCrops } from './log-mel';

/** Numbers in one input of the network. */
export function inputLength(frontEnd: FrontEnd): number {
  switch (frontEnd.kind) {
    case 'frames':
      return joinedSamples(frontEnd);
    case 'log-mel':
      return frontEnd.cropFrames * frontEnd.melBins;
  }
}

/** Inputs that one window gives at most. */
export function inputsPerWindow(frontEnd: FrontEnd): number {
  return frontEnd.kind === 'log-mel' ? frontEnd.crops : 1;
}

/**
 * A window as its network takes it, whatever the front end: one input or several, whose probabilities are averaged.
 * @param window mono at the front end's rate, cut to its length; a shorter one is completed as the kind does it
 * @returns at least one array of `inputLength(frontEnd)`
 */
export function windowInputs(window: Float32Array, frontEnd: FrontEnd): Float32Array[] {
  const length = inputLength(frontEnd);
  const memory = new Float32Array(inputsPerWindow(frontEnd) * length);
  const count = writeWindowInputs(window, frontEnd, memory, 0);
  return Array.from({ length: count }, (_, input) => memory.subarray(input * length, (input + 1) * length));
}

/**
 * Writes what `windowInputs` gives to `out` from `offset` on: at most `inputsPerWindow(frontEnd)` of them.
 * @returns how many there are
 */
export function writeWindowInputs(
  window: Float32Array,
  frontEnd: FrontEnd,
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
