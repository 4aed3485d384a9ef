import { removesOffset, type FrontEnd } from '../contracts/front-end';
import { createOffsetRemover } from './offset-remover';

/**
 * Removes a window's constant offset before its level is measured, also for networks that get the offset
 * (the two of the report), so that a quiet room counts as quiet whatever the offset of its microphone.
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
