import { removesOffset, type FrontEnd } from '../contracts/front-end';
import { createOffsetRemover } from './offset-remover';

/**
 * A window as its level is taken: without the constant that a microphone adds, also where the networks are given it (the report's
 * own two): a quiet room is quiet whatever its offset.
 */
export function gateSignal(window: Float32Array, frontEnd: FrontEnd): Float32Array {
  if (removesOffset(frontEnd)) return window;
  const remover = createOffsetRemover(frontEnd.sampleRate);
  const begun = remover.push(window);
  const rest = remover.finish();
  if (rest.length === 0) return begun;
  const all = new Float32Array(begun.length + rest.length);
  all.set(begun);
  all.set(rest, begun.length);
  return all;
}
