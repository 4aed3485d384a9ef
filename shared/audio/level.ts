const blockSamples = 1024;

/** How loud a window is. */
export interface Level {
  /** Mean square of its samples. */
  readonly power: number;
  /** The power of its loudest stretch of 1024 samples (23 ms at 44.1 kHz), in dB of full scale; −∞ for silence. */
  readonly loudestDecibels: number;
}

export function levelOf(samples: Float32Array): Level {
  let [loudest, total] = [0, 0];
  for (let start = 0; start < samples.length; start += blockSamples) {
    const end = Math.min(samples.length, start + blockSamples);
    let sum = 0;
    for (let i = start; i < end; i++) sum += samples[i]! * samples[i]!;
    loudest = Math.max(loudest, sum / (end - start));
    total += sum;
  }
  return { power: total / samples.length, loudestDecibels: 10 * Math.log10(loudest) };
}
