import { fromHalf, toHalf } from '../../shared/registry/half-precision';

/** A binary16 value by its definition: sign, 5 bits of exponent, 10 of fraction. */
function fromBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describe('half precision', () => {
  it('leaves each of the 63,488 finite halves as it is', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      if (((bits >>> 10) & 31) === 31) continue;
      const [back] = toHalf(Float32Array.of(fromBits(bits)));
      if (back !== bits) throw new Error(`${bits} came back as ${String(back)}`);
    }
    expect(toHalf(Float32Array.of(1, -2, 65_504, 2 ** -24))).toEqual(
      Uint16Array.of(0x3c00, 0xc000, 0x7bff, 1),
    );
  });

  it('gives each of the 65,536 its value', () => {
    const bits = Uint16Array.from({ length: 0x10000 }, (_, index) => index);
    expect(fromHalf(bits)).toEqual(Float32Array.from(bits, fromBits));
  });

  it('rounds the middle between two halves to the even one, and anything else to the nearer', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [fromBits(bits), fromBits(bits + 1)];
      const middle = (low + high) / 2;
      const [below, tie, above] = toHalf(
        Float32Array.of(middle - (high - low) / 64, middle, middle + (high - low) / 64),
      );
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (below !== bits || tie !== even || above !== bits + 1) throw new Error(`around ${middle}`);
    }
    expect(toHalf(Float32Array.of(65_520, 65_519, -1e30))).toEqual(Uint16Array.of(0x7c00, 0x7bff, 0xfc00));
  });
});
