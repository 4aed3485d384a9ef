/** When each part of the sound was heard on this machine, to tell how late an answer about it is. */
export interface ArrivalClock {
  /** A chunk of so many samples has just been heard. */
  heard(samples: number): void;
  /** Milliseconds since the sound at a position in seconds was heard; undefined for what is long ago. */
  since(positionSeconds: number): number | undefined;
}

/** Chunks remembered: 40 s of 10 ms ones. */
const remembered = 4096;

/** @param sampleRate Hz */
export function createArrivalClock(sampleRate: number): ArrivalClock {
  const chunks: { readonly endSample: number; readonly atMs: number }[] = [];
  let samples = 0;
  return {
    heard(count) {
      samples += count;
      chunks.push({ endSample: samples, atMs: performance.now() });
      if (chunks.length > 2 * remembered) chunks.splice(0, remembered);
    },
    since(positionSeconds) {
      const sample = Math.round(positionSeconds * sampleRate);
      const chunk = chunks.findLast(({ endSample }, index) => {
        return endSample >= sample && (chunks[index - 1]?.endSample ?? 0) < sample;
      });
      return chunk === undefined ? undefined : performance.now() - chunk.atMs;
    },
  };
}
