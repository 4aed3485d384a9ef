/** Where the first NaN or infinity stands, or −1. These are the numbers that differ from themselves less themselves. */
export function indexOfNonFinite(samples: Float32Array): number {
  for (let index = 0; index < samples.length; index += 1) {
    const sample = samples[index]!;
    if (sample - sample !== 0) return index;
  }
  return -1;
}
