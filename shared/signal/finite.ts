/** Returns the index of the first NaN or infinity; −1 where there is none. */
export function indexOfNonFinite(samples: Float32Array): number {
  // Zero times NaN or infinity is NaN, which stays in a sum. Four sums, so that no addition waits for
  // the previous one.
  let first = 0;
  let second = 0;
  let third = 0;
  let fourth = 0;
  const whole = samples.length - (samples.length % 4);
  for (let index = 0; index < whole; index += 4) {
    first += samples[index]! * 0;
    second += samples[index + 1]! * 0;
    third += samples[index + 2]! * 0;
    fourth += samples[index + 3]! * 0;
  }
  for (let index = whole; index < samples.length; index += 1) first += samples[index]! * 0;
  return first + second + third + fourth === 0 ? -1 : samples.findIndex((sample) => !Number.isFinite(sample));
}
