/**
 * Seeded random numbers that are the same on every engine and need no state between steps. Every random
 * choice in training is a function of (seed, purpose, index). A resumed run therefore draws the same
 * numbers as an uninterrupted one.
 */

/**
 * `Math.imul`, looked up once: a look-up per number costs more than the product (100 times more in a VM
 * context).
 */
const { imul } = Math;

/** A well-mixed 32-bit hash of a 32-bit integer (the finaliser "lowbias32" by C. Wellons). */
export function hash32(value: number): number {
  let x = value | 0;
  x = imul(x ^ (x >>> 16), 0x7feb352d);
  x = imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Combines several integers or words into one seed. Their order matters. */
export function deriveSeed(...parts: readonly (number | string)[]): number {
  let seed = 0x9e3779b9;
  for (const part of parts) {
    const numbers = typeof part === 'number' ? [part] : Array.from(part, (letter) => letter.codePointAt(0)!);
    for (const number of numbers) seed = hash32(seed ^ hash32(number + 0x632be5ab));
  }
  return seed;
}

/** Returns a generator of uniform doubles in [0, 1) with 53 random bits (sfc32 by C. Doty-Humphrey). */
export function createUniform(seed: number): () => number {
  let a = hash32(seed);
  let b = hash32(seed ^ 0x85ebca6b);
  let c = hash32(seed ^ 0xc2b2ae35);
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round++) next();
  return () => ((next() >>> 5) * 67_108_864 + (next() >>> 6)) / 9_007_199_254_740_992;
}

/** Returns the numbers 0 … length − 1 in a random order (Fisher–Yates). */
export function permutation(length: number, seed: number): Uint32Array {
  const uniform = createUniform(seed);
  const order = Uint32Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const other = Math.floor(uniform() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
