/** The clip played `speed` times as fast, by linear interpolation: sample n is the clip at n · speed. */
export function speedCopy(samples: Float32Array, speed: number): Float32Array {
  if (speed === 1) return samples;
  const copy = new Float32Array(Math.floor(samples.length / speed));
  for (let n = 0; n < copy.length; n++) {
    const position = n * speed;
    const before = Math.floor(position);
    const next = samples[before + 1] ?? 0;
    copy[n] = samples[before]! + (position - before) * (next - samples[before]!);
  }
  return copy;
}
