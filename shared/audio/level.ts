const blockSamples = 1024;

/** The power of a window's loudest stretch of 1024 samples (23 ms at 44.1 kHz), in dB of full scale; −∞ for silence. */
export function loudestDecibels(samples: Float32Array): number {
  let loudest = 0;
  for (let start = 0; start < samples.length; start += blockSamples) {
    const end = Math.min(samples.length, start + blockSamples);
    let sum = 0;
    for (let i = start; i < end; i++) sum += samples[i]! * samples[i]!;
    loudest = Math.max(loudest, sum / (end - start));
  }
  return 10 * Math.log10(loudest);
}
