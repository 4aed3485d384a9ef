// Spectra of real frames; the frames are in the lanes. The even samples of a frame are the real parts,
// and the odd samples the imaginary parts, of one complex transform of half the size (radix 4, in place,
// decimation in frequency). Its outputs are not sorted; `order` says where each one is. T is float or
// double.
#pragma once

#include "wide.h"

namespace earshot::EARSHOT_ISA {

template <typename T>
struct LanesOf;
template <>
struct LanesOf<float> {
  typedef Vec Vector;
  static constexpr int count = kLanes;
};
template <>
struct LanesOf<double> {
  typedef Wide Vector;
  static constexpr int count = kWideLanes;
};

template <typename T>
struct Complex {
  typename LanesOf<T>::Vector re, im;
};

template <typename T>
EARSHOT_INLINE Complex<T> get(const T* values, long at) {
  constexpr int kLength = LanesOf<T>::count;
  return {load(values + at * 2 * kLength), load(values + at * 2 * kLength + kLength)};
}

template <typename T>
EARSHOT_INLINE void put(T* values, long at, Complex<T> value) {
  constexpr int kLength = LanesOf<T>::count;
  store(values + at * 2 * kLength, value.re);
  store(values + at * 2 * kLength + kLength, value.im);
}

template <typename T>
EARSHOT_INLINE Complex<T> rotated(Complex<T> value, const T* twiddle) {
  const auto re = splat(twiddle[0]), im = splat(twiddle[1]);
  return {re * value.re - im * value.im, re * value.im + im * value.re};
}

template <bool kTwiddle, typename T>
EARSHOT_INLINE void butterfly4(T* values, long at, long quarter, const T* twiddles) {
  const Complex<T> a = get(values, at), b = get(values, at + quarter);
  const Complex<T> c = get(values, at + 2 * quarter), d = get(values, at + 3 * quarter);
  const Complex<T> sum = {a.re + c.re, a.im + c.im}, difference = {a.re - c.re, a.im - c.im};
  const Complex<T> other = {b.re + d.re, b.im + d.im}, across = {b.re - d.re, b.im - d.im};
  // a − c ∓ j (b − d)
  const Complex<T> first = {difference.re + across.im, difference.im - across.re};
  const Complex<T> second = {sum.re - other.re, sum.im - other.im};
  const Complex<T> third = {difference.re - across.im, difference.im + across.re};
  put(values, at, Complex<T>{sum.re + other.re, sum.im + other.im});
  put(values, at + quarter, kTwiddle ? rotated(first, twiddles) : first);
  put(values, at + 2 * quarter, kTwiddle ? rotated(second, twiddles + 2) : second);
  put(values, at + 3 * quarter, kTwiddle ? rotated(third, twiddles + 4) : third);
}

// Transforms `length` complex values in place, each as a vector of real and a vector of imaginary parts.
template <typename T>
static void transform(T* values, int length, const T* twiddles) {
  if (length <= 1) return;
  if (length == 2) {
    const Complex<T> a = get(values, 0), b = get(values, 1);
    put(values, 0, Complex<T>{a.re + b.re, a.im + b.im});
    put(values, 1, Complex<T>{a.re - b.re, a.im - b.im});
    return;
  }
  const int quarter = length / 4;
  butterfly4<false>(values, 0, quarter, twiddles);
  for (int p = 1; p < quarter; p++) butterfly4<true>(values, p, quarter, twiddles + 6 * p);
  if (quarter == 1) return;
  for (int part = 0; part < 4; part++) {
    transform(values + part * quarter * 2 * LanesOf<T>::count, quarter, twiddles + 6 * quarter);
  }
}

// Computes |X[k]|² from the transformed values.
// @param half size / 2
// @param order [half]: index of each value after the passes
// @param turns [bins][2]: cosine and −sine of 2πk / size
template <typename T>
EARSHOT_INLINE typename LanesOf<T>::Vector power_of(const T* values, int half, const int* order, const T* turns, int k) {
  const int at = k == half ? 0 : k;
  const Complex<T> here = get(values, order[at]), there = get(values, order[at == 0 ? 0 : half - at]);
  const auto cosine = splat(turns[2 * k]), sine = splat(turns[2 * k + 1]);
  // Twice the spectra of the even and of the odd samples, from the Hermitian and the anti-Hermitian
  // part.
  const auto even_re = here.re + there.re, even_im = here.im - there.im;
  const auto odd_re = here.im + there.im, odd_im = there.re - here.re;
  const auto re = even_re + cosine * odd_re - sine * odd_im;
  const auto im = even_im + cosine * odd_im + sine * odd_re;
  return (re * re + im * im) * splat(static_cast<T>(0.25));
}

}  // namespace earshot::EARSHOT_ISA
