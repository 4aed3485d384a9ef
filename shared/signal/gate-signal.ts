import type { WindowFormat } from '../contracts/members';
import { createOffsetRemover } from './offset-remover';

/**
 * Removes a window's constant offset before its level is measured, also for networks that get the offset
 * (the two of the report), so that a quiet room counts as quiet whatever the offset of its microphone.
 */
export function gateSignal(window: Float32Array, format: Omit<WindowFormat, 'windowSeconds'>): Float32Array {
  if (format.removesOffset) return window;
  const remover = createOffsetRemover(format.sampleRate);
  const begun = remover.push(window);
  const rest = remover.finish();
  if (rest.length === 0) return begun;
  const all = new Float32Array(begun.length + rest.length);
  all.set(begun);
  all.set(rest, begun.length);
  return all;
}
