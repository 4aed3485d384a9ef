import { concatenate } from '../../shared/signal/concatenate';
import type { SignalStage } from '../../shared/signal/full-scale-guard';
import { randomNumbers } from './signals';

/** What a stage makes of a signal that comes in random pieces of at most `largest` samples. */
export function cutAtRandom(stage: SignalStage, signal: Float32Array, largest: number): Float32Array {
  const random = randomNumbers(largest);
  const parts: Float32Array[] = [];
  for (let at = 0; at < signal.length;) {
    const size = largest === signal.length ? largest : 1 + Math.floor(random() * largest);
    // The sender's memory is its own again once a piece was pushed.
    const piece = signal.slice(at, at + size);
    parts.push(stage.push(piece).slice());
    piece.fill(NaN);
    at += size;
  }
  parts.push(stage.finish());
  return concatenate(
    parts,
    parts.reduce((sum, { length }) => sum + length, 0),
  );
}
