/**
 * ITU-T G.711: logarithmic 8-bit samples as used in telephony. Both tables hold the 256 linear values in [−1, 1), as
 * decoders to 16-bit samples give them (A-law: 13 bits at the top of 16; µ-law: 14 bits at the top of 16).
 */
export const aLawTable = Float32Array.from({ length: 256 }, (_, code) => {
  const bits = code ^ 0x55; // every other bit is sent inverted
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 15) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 256) << (exponent - 1);
  return ((bits & 0x80) === 0 ? -magnitude : magnitude) / 32_768;
});

export const muLawTable = Float32Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff; // every bit is sent inverted
  const magnitude = ((((bits & 15) << 3) + 132) << ((bits >> 4) & 7)) - 132;
  return ((bits & 0x80) === 0 ? magnitude : -magnitude) / 32_768;
});
