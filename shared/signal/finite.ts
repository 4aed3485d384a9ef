/** Where the first NaN or infinity stands, or −1. */
export function indexOfNonFinite(samples: Float32Array): number {
  // Zero times either is NaN, and stays so in a sum; four of them, so that no addition waits for the one before.
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
