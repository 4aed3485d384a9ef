const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Converts each value to IEEE 754 binary16 bits, rounded to nearest, ties to even. */
export function toHalf(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, toHalfBits);
}

/** All values, indexed by their bits; computed on first use. */
let halves: Float32Array | undefined;

/** Converts IEEE 754 binary16 bits to values. */
export function fromHalf(bits: Uint16Array): Float32Array {
  const table = (halves ??= Float32Array.from({ length: 0x10000 }, (_, index) => fromHalfBits(index)));
  const values = new Float32Array(bits.length);
  for (let index = 0; index < bits.length; index += 1) values[index] = table[bits[index]!]!;
  return values;
}

function fromHalfBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function toHalfBits(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds to 65,536 or more: infinity
  if (magnitude < 0x38800000) {
    // A subnormal half is a multiple of 2⁻²⁴. Math.round would not round ties to even.
    return sign | roundHalfEven(Math.abs(scratch[0]) * 2 ** 24);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
