// Spectra of real frames; the frames are in the lanes. The even samples of a frame are the real parts,
// and the odd samples the imaginary parts, of one complex transform of half the size (radix 4, in place,
// decimation in frequency). Its outputs are not sorted; `order` says where each one is.
#pragma once

#include "vec.h"

namespace earshot::EARSHOT_ISA {

// Transposes kLanes vectors: exchanges lane j of rows[i] and lane i of rows[j].
EARSHOT_INLINE void transpose(Vec* rows) {
#pragma GCC unroll 4
  for (int step = 1; step < kLanes; step *= 2) {
    IntVec upper{}, lower{};
#pragma GCC unroll 16
    for (int lane = 0; lane < kLanes; lane++) {
      const bool crosses = (lane & step) != 0;
      upper[lane] = crosses ? kLanes + lane - step : lane;
      lower[lane] = crosses ? kLanes + lane : lane + step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; i++) {
      if ((i & step) != 0) continue;
      const Vec a = rows[i], b = rows[i + step];
      rows[i] = shuffle(a, b, upper);
      rows[i + step] = shuffle(a, b, lower);
    }
  }
}

struct Complex {
  Vec re, im;
};

EARSHOT_INLINE Complex get(const float* values, long at) {
  return {load(values + at * 2 * kLanes), load(values + at * 2 * kLanes + kLanes)};
}

EARSHOT_INLINE void put(float* values, long at, Complex value) {
  store(values + at * 2 * kLanes, value.re);
  store(values + at * 2 * kLanes + kLanes, value.im);
}

EARSHOT_INLINE Complex rotated(Complex value, const float* twiddle) {
  const auto re = splat(twiddle[0]), im = splat(twiddle[1]);
  return {re * value.re - im * value.im, re * value.im + im * value.re};
}

template <bool kTwiddle>
EARSHOT_INLINE void butterfly4(float* values, long at, long quarter, const float* twiddles) {
  const Complex a = get(values, at), b = get(values, at + quarter);
  const Complex c = get(values, at + 2 * quarter), d = get(values, at + 3 * quarter);
  const Complex sum = {a.re + c.re, a.im + c.im}, difference = {a.re - c.re, a.im - c.im};
  const Complex other = {b.re + d.re, b.im + d.im}, across = {b.re - d.re, b.im - d.im};
  // a − c ∓ j (b − d)
  const Complex first = {difference.re + across.im, difference.im - across.re};
  const Complex second = {sum.re - other.re, sum.im - other.im};
  const Complex third = {difference.re - across.im, difference.im + across.re};
  put(values, at, Complex{sum.re + other.re, sum.im + other.im});
  put(values, at + quarter, kTwiddle ? rotated(first, twiddles) : first);
  put(values, at + 2 * quarter, kTwiddle ? rotated(second, twiddles + 2) : second);
  put(values, at + 3 * quarter, kTwiddle ? rotated(third, twiddles + 4) : third);
}

// Transforms `length` complex values in place, each as a vector of real and a vector of imaginary parts.
static void transform(float* values, int length, const float* twiddles) {
  if (length <= 1) return;
  if (length == 2) {
    const Complex a = get(values, 0), b = get(values, 1);
    put(values, 0, Complex{a.re + b.re, a.im + b.im});
    put(values, 1, Complex{a.re - b.re, a.im - b.im});
    return;
  }
  const int quarter = length / 4;
  butterfly4<false>(values, 0, quarter, twiddles);
  for (int p = 1; p < quarter; p++) butterfly4<true>(values, p, quarter, twiddles + 6 * p);
  if (quarter == 1) return;
  for (int part = 0; part < 4; part++) {
    transform(values + part * quarter * 2 * kLanes, quarter, twiddles + 6 * quarter);
  }
}

// Computes |X[k]|² from the transformed values.
// @param half size / 2
// @param order [half]: index of each value after the passes
// @param turns [bins][2]: cosine and −sine of 2πk / size
EARSHOT_INLINE Vec power_of(const float* values, int half, const int* order, const float* turns, int k) {
  const int at = k == half ? 0 : k;
  const Complex here = get(values, order[at]), there = get(values, order[at == 0 ? 0 : half - at]);
  const auto cosine = splat(turns[2 * k]), sine = splat(turns[2 * k + 1]);
  // Twice the spectra of the even and of the odd samples, from the Hermitian and the anti-Hermitian
  // part.
  const auto even_re = here.re + there.re, even_im = here.im - there.im;
  const auto odd_re = here.im + there.im, odd_im = there.re - here.re;
  const auto re = even_re + cosine * odd_re - sine * odd_im;
  const auto im = even_im + cosine * odd_im + sine * odd_re;
  return (re * re + im * im) * splat(0.25f);
}

}  // namespace earshot::EARSHOT_ISA
