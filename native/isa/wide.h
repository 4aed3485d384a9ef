// Vectors of doubles, with half as many lanes as vectors of floats.
#pragma once

#include "vec.h"

namespace earshot::EARSHOT_ISA {

constexpr int kWideLanes = kLanes / 2;

typedef double Wide __attribute__((vector_size(8 * kWideLanes)));
typedef int64_t LongVec __attribute__((vector_size(8 * kWideLanes)));
typedef uint64_t UlongVec __attribute__((vector_size(8 * kWideLanes)));
typedef double LooseWide __attribute__((vector_size(8 * kWideLanes), aligned(8), may_alias));
typedef float NarrowVec __attribute__((vector_size(4 * kWideLanes)));
typedef float LooseNarrowVec __attribute__((vector_size(4 * kWideLanes), aligned(4), may_alias));

EARSHOT_INLINE Wide load(const double* from) { return *reinterpret_cast<const LooseWide*>(from); }
EARSHOT_INLINE void store(double* to, Wide value) { *reinterpret_cast<LooseWide*>(to) = value; }
EARSHOT_INLINE Wide splat(double value) { return value - Wide{}; }
EARSHOT_INLINE Wide widen(const float* from) {
  return __builtin_convertvector(*reinterpret_cast<const LooseNarrowVec*>(from), Wide);
}
EARSHOT_INLINE void store_narrow(float* to, Wide value) {
  *reinterpret_cast<LooseNarrowVec*>(to) = __builtin_convertvector(value, NarrowVec);
}

// Transposes kCount vectors of kCount lanes: exchanges lane j of rows[i] and lane i of rows[j].
// @tparam Index vector of integers of the same width
template <typename Index, int kCount, typename Vector>
EARSHOT_INLINE void transpose_lanes(Vector* rows) {
#pragma GCC unroll 4
  for (int step = 1; step < kCount; step *= 2) {
    Index upper{}, lower{};
#pragma GCC unroll 16
    for (int lane = 0; lane < kCount; lane++) {
      const bool crosses = (lane & step) != 0;
      upper[lane] = crosses ? kCount + lane - step : lane;
      lower[lane] = crosses ? kCount + lane : lane + step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kCount; i++) {
      if ((i & step) != 0) continue;
      const Vector a = rows[i], b = rows[i + step];
      rows[i] = shuffle(a, b, upper);
      rows[i + step] = shuffle(a, b, lower);
    }
  }
}

EARSHOT_INLINE void transpose(Wide* rows) { transpose_lanes<LongVec, kWideLanes>(rows); }
EARSHOT_INLINE void transpose(Vec* rows) { transpose_lanes<IntVec, kLanes>(rows); }

// Base-2 logarithm of positive normal doubles, with an error below 1e-11.
EARSHOT_INLINE Wide log2(Wide x) {
  // x = m 2^e with m in [√½, √2), as in exponential.h. The exponent is biased, because not all
  // instruction sets have signed 64-bit shifts.
  const UlongVec root = (UlongVec)splat(0.70710678118654752);
  const UlongVec bits = (UlongVec)x;
  const UlongVec biased = (bits - root + (uint64_t{1023} << 52)) >> 52;
  const Wide mantissa = (Wide)(bits - (biased << 52) + (uint64_t{1023} << 52));
  // The low bits of the double 2^52 + n are the integer n, if n is below 2^52.
  const Wide exponent = (Wide)(biased | 0x4330000000000000u) - splat(4503599627370496.0 + 1023.0);
  const Wide s = (mantissa - splat(1.0)) / (mantissa + splat(1.0));
  const Wide square = s * s;
  // log2 m = 2 / ln 2 · artanh s
  Wide series = splat(1.0 / 13);
#pragma GCC unroll 8
  for (int odd = 11; odd >= 1; odd -= 2) series = series * square + splat(1.0 / odd);
  return s * series * splat(2.8853900817779268) + exponent;
}

}  // namespace earshot::EARSHOT_ISA
