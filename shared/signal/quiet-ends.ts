import { levelDbfs } from './level';

/** Levels are of blocks of this length. */
const blockSeconds = 0.05;
/** What is no more than this below the loudest block is no quiet, however low it is. */
const rangeDecibels = 20;

/**
 * The part of a window that holds its sound: without the quiet before and behind it, but for a block of
 * 50 ms on either side. A short sound in a quiet room is then as long as in a recording of its own. A
 * window that is quiet throughout, or whose sound fills it, stays as it is.
 * @param quietDbfs blocks below this, and 20 dB below the loudest, are quiet
 * @returns `samples` themselves where nothing is to be cut, else a view of them
 */
export function cutQuietEnds(samples: Float32Array, sampleRate: number, quietDbfs: number): Float32Array {
  const length = Math.round(blockSeconds * sampleRate);
  const levels = Array.from({ length: Math.ceil(samples.length / length) }, (_, block) =>
    levelDbfs(samples.subarray(block * length, (block + 1) * length)),
  );
  const loudest = levels.reduce((most, level) => Math.max(most, level), -Infinity);
  const audible = Math.min(quietDbfs, loudest - rangeDecibels);
  const first = levels.findIndex((level) => level >= audible);
  const last = levels.findLastIndex((level) => level >= audible);
  const [from, to] = [Math.max(0, first - 1) * length, Math.min(samples.length, (last + 2) * length)];
  return from === 0 && to === samples.length ? samples : samples.subarray(from, to);
}
