// Powers of two and base-2 logarithms of vectors.
#pragma once

#include "vec.h"

namespace earshot::EARSHOT_ISA {

// The least x for which 2^x is a normal float.
constexpr float kLeastExponent = -126;

// Replaces x by 2^x for kCount vectors. Their steps are interleaved, because a single vector would wait
// for the result of each of its steps. The relative error is below 4e-7 for −126 ≤ x ≤ 127; the result
// is wrong for other x, and NaN for NaN.
//
// x is split into n + j/N + r, where N is the number of lanes. 2^(j/N) is looked up in a table of one
// register, so that a short polynomial suffices for 2^r. Adding `magic` rounds x to a multiple of 1/N
// and leaves N n + j in the low bits. These are shifted and added to the table's entry; the entries
// compensate for the j in that sum.
template <int kCount>
EARSHOT_INLINE void exp2_each(Vec* x) {
  Vec rounded[kCount], rest[kCount], power[kCount];
#if defined(__AVX512F__) || defined(__AVX2__)
#if defined(__AVX512F__)
  constexpr int kTableBits = 4;
  constexpr float kCoefficients[] = {0.240226443f, 0.693187723f};
  const IntVec table = {0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532, 0x3f75fed7, 0x3f75583f,
                        0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c, 0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d};
#else
  constexpr int kTableBits = 3;
  constexpr float kCoefficients[] = {0.055496222f, 0.240257631f, 0.693147214f};
  const IntVec table = {0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7, 0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7};
#endif
  constexpr int kTerms = sizeof kCoefficients / sizeof kCoefficients[0];
  const Vec magic = splat(12582912.0f / (1 << kTableBits));
#pragma GCC unroll 8
  for (int i = 0; i < kCount; i++) rounded[i] = x[i] + magic;
#pragma GCC unroll 8
  for (int i = 0; i < kCount; i++) rest[i] = x[i] - (rounded[i] - magic);
#pragma GCC unroll 8
  for (int i = 0; i < kCount; i++) {
    const IntVec bits = (IntVec)rounded[i];
    power[i] = (Vec)(look_up(table, bits) + (bits << (23 - kTableBits)));
  }
#pragma GCC unroll 8
  for (int i = 0; i < kCount; i++) x[i] = splat(kCoefficients[0]);
#pragma GCC unroll 4
  for (int term = 1; term < kTerms; term++) {
#pragma GCC unroll 8
    for (int i = 0; i < kCount; i++) x[i] = fma(x[i], rest[i], splat(kCoefficients[term]));
  }
#pragma GCC unroll 8
  for (int i = 0; i < kCount; i++) x[i] = fma(power[i] * rest[i], x[i], power[i]);
#else
  const Vec magic = splat(12582912.0f);
#pragma GCC unroll 8
  for (int i = 0; i < kCount; i++) rounded[i] = x[i] + magic;
#pragma GCC unroll 8
  for (int i = 0; i < kCount; i++) rest[i] = x[i] - (rounded[i] - magic);
#pragma GCC unroll 8
  for (int i = 0; i < kCount; i++) {
    power[i] = fma(splat(0.00132764737f), rest[i], splat(0.00967554266f));
    power[i] = fma(power[i], rest[i], splat(0.0555071328f));
    power[i] = fma(power[i], rest[i], splat(0.240221197f));
    power[i] = fma(power[i], rest[i], splat(0.693146967f));
    power[i] = fma(power[i], rest[i], splat(1.00000007f));
    x[i] = (Vec)((IntVec)power[i] + ((IntVec)rounded[i] << 23));
  }
#endif
}

// Base-2 logarithm of positive normal floats, with an error below 1e-7 · max(1, |log2 x|); NaN for NaN.
EARSHOT_INLINE Vec log2(Vec x) {
  // x = m 2^e with m in [√½, √2): after subtracting the bits of √½, the exponent field is e.
  const IntVec root = (IntVec)splat(0.707106781f);
  const IntVec bits = (IntVec)x;
  const IntVec exponent = (bits - root) >> 23;
  const Vec mantissa = (Vec)(bits - (exponent << 23));
  const Vec s = (mantissa - splat(1)) / (mantissa + splat(1));
  const Vec square = s * s;
  // log2 m = 2 / ln 2 · artanh s
  Vec series = splat(2.88539008f / 9);
  series = fma(series, square, splat(2.88539008f / 7));
  series = fma(series, square, splat(2.88539008f / 5));
  series = fma(series, square, splat(2.88539008f / 3));
  series = fma(series, square, splat(2.88539008f));
  const Vec value = fma(s, series, __builtin_convertvector(exponent, Vec));
  return select(x == x, value, x);
}

}  // namespace earshot::EARSHOT_ISA
