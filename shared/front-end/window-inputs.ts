import type { FrontEnd } from '../contracts/front-end';
import { encoderOutputs } from '../encoder/mobile-net';
import { framesInputs } from './frames';
import type { InputComputation } from './input-computation';

/** A front end that is computed without a network. */
export type PlainFrontEnd = Exclude<FrontEnd, { kind: 'encoder' }>;

type Kind = PlainFrontEnd['kind'];

/** Every kind of front end that is computed without a network. */
const computations: { readonly [K in Kind]: InputComputation<Extract<PlainFrontEnd, { kind: K }>> } = {
  frames: framesInputs,
};

function computationOf({ kind }: PlainFrontEnd): InputComputation<PlainFrontEnd> {
  return computations[kind];
}

/** Returns the length of one input of the network. */
export function inputLength(frontEnd: FrontEnd): number {
  return frontEnd.kind === 'encoder' ? encoderOutputs : computationOf(frontEnd).inputLength(frontEnd);
}

/** Returns the maximum number of inputs per window. */
export function inputsPerWindow(frontEnd: PlainFrontEnd): number {
  return computationOf(frontEnd).inputsPerWindow(frontEnd);
}

/**
 * Computes the inputs of a network from a window, for any front end: one input or several, whose
 * probabilities are averaged.
 * @param window mono at the front end's rate, cut to its length; a shorter one is padded as the front
 * end requires
 * @returns at least one array of `inputLength(frontEnd)`
 */
export function windowInputs(window: Float32Array, frontEnd: PlainFrontEnd): Float32Array[] {
  const length = inputLength(frontEnd);
  const memory = new Float32Array(inputsPerWindow(frontEnd) * length);
  const count = writeWindowInputs(window, frontEnd, memory, 0);
  return Array.from({ length: count }, (_, input) => memory.subarray(input * length, (input + 1) * length));
}

/**
 * Writes the result of `windowInputs` to `out` from `offset` on: at most `inputsPerWindow(frontEnd)`
 * inputs.
 * @returns the number of inputs
 */
export function writeWindowInputs(
  window: Float32Array,
  frontEnd: PlainFrontEnd,
  out: Float32Array,
  offset: number,
): number {
  return computationOf(frontEnd).write(window, frontEnd, out, offset);
}
