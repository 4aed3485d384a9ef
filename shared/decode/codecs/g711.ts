/**
 * Tables for ITU-T G.711, the logarithmic 8-bit samples of telephony. Each holds the 256 linear values
 * in [−1, 1) that decoders to 16 bits give (A-law has 13 significant bits, µ-law 14, both left-aligned).
 */
export const aLawTable = Float32Array.from({ length: 256 }, (_, code) => {
  const bits = code ^ 0x55; // alternate bits are transmitted inverted
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 15) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 256) << (exponent - 1);
  return ((bits & 0x80) === 0 ? -magnitude : magnitude) / 32_768;
});

export const muLawTable = Float32Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff; // all bits are transmitted inverted
  const magnitude = ((((bits & 15) << 3) + 132) << ((bits >> 4) & 7)) - 132;
  return ((bits & 0x80) === 0 ? magnitude : -magnitude) / 32_768;
});
