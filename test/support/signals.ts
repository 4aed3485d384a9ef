// Jest reaches globals through a slow door: what inner loops need is fetched once.
const { sin, PI } = Math;

/** Seeded numbers in [0, 1): mulberry32, so that every run tests the same. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function tone(hertz: number, sampleRate: number, samples: number, amplitude = 0.5): Float32Array {
  return Float32Array.from(
    { length: samples },
    (_, index) => amplitude * sin((2 * PI * hertz * index) / sampleRate),
  );
}

/**
 * A sound that is known at every moment, with no energy near its ends or above 3.3 kHz: three tones that
 * swell and fade.
 */
function swellAt(seconds: number, lengthSeconds: number): number {
  if (seconds <= 0 || seconds >= lengthSeconds) return 0;
  const envelope = sin((PI * seconds) / lengthSeconds) ** 4;
  const sum = [440, 1_250, 3_100].reduce(
    (total, hertz, index) => total + sin(2 * PI * hertz * seconds + index),
    0,
  );
  return 0.25 * envelope * sum;
}

export function swell(lengthSeconds: number, sampleRate: number): Float32Array {
  return Float32Array.from({ length: Math.round(lengthSeconds * sampleRate) }, (_, index) =>
    swellAt(index / sampleRate, lengthSeconds),
  );
}

/** Energy of the wanted signal over that of the difference, in dB, over the samples that both have. */
export function signalToErrorDb(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [signal, error] = [0, 0];
  for (let index = 0; index < Math.min(got.length, wanted.length); index += 1) {
    signal += wanted[index]! ** 2;
    error += (got[index]! - wanted[index]!) ** 2;
  }
  return 10 * Math.log10(signal / error);
}

export function largestDifference(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let largest = got.length === wanted.length ? 0 : Infinity;
  for (let index = 0; index < got.length; index += 1) {
    largest = Math.max(largest, Math.abs(got[index]! - wanted[index]!));
  }
  return largest;
}

/**
 * Loud, without a constant offset, and `value` where it begins and every 2 ms from there: what the fake
 * engine goes by.
 */
export function square(samples: number, sampleRate: number, value: number): Float32Array {
  return Float32Array.from({ length: samples }, (_, index) =>
    Math.floor((index * 1000) / sampleRate) % 2 === 0 ? value : -value,
  );
}
