/** Records when each part of the sound was captured, to measure the lag of predictions. */
export interface ArrivalClock {
  /** Records that a chunk of so many samples has just been captured. */
  addChunk(samples: number): void;
  /** Milliseconds since the sound at a position was captured; undefined if that is too long ago. */
  elapsedMs(positionSeconds: number): number | undefined;
}

/** Least number of chunks that are remembered: 40 s of 10 ms chunks. */
const minChunks = 4096;

/** @param sampleRate Hz */
export function createArrivalClock(sampleRate: number): ArrivalClock {
  const chunks: { readonly endSample: number; readonly atMs: number }[] = [];
  let samples = 0;
  return {
    addChunk(count) {
      samples += count;
      chunks.push({ endSample: samples, atMs: performance.now() });
      if (chunks.length > 2 * minChunks) chunks.splice(0, minChunks);
    },
    elapsedMs(positionSeconds) {
      const sample = Math.round(positionSeconds * sampleRate);
      const chunk = chunks.findLast(({ endSample }, index) => {
        return endSample >= sample && (chunks[index - 1]?.endSample ?? 0) < sample;
      });
      return chunk === undefined ? undefined : performance.now() - chunk.atMs;
    },
  };
}
