// Spectra of real frames, side by side in the lanes: the even samples and the odd ones of each go through one complex transform
// of half the size as its real and imaginary part (radix 4, in place, decimation in frequency). In which order the values come
// out does not matter: whoever reads one reads a vector. T is float or double.
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
EARSHOT_INLINE Complex<T> turned(Complex<T> value, const T* twiddle) {
  const auto re = splat(twiddle[0]), im = splat(twiddle[1]);
  return {re * value.re - im * value.im, re * value.im + im * value.re};
}

template <bool kTurns, typename T>
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
  put(values, at + quarter, kTurns ? turned(first, twiddles) : first);
  put(values, at + 2 * quarter, kTurns ? turned(second, twiddles + 2) : second);
  put(values, at + 3 * quarter, kTurns ? turned(third, twiddles + 4) : third);
}

// All passes from `length` values on.
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

// |X[k]|² out of the transformed values. @param order where the passes leave each value; turns: cosine and −sine of 2πk / size
template <typename T>
EARSHOT_INLINE typename LanesOf<T>::Vector power_of(const T* values, int half, const int* order, const T* turns, int k) {
  const int at = k == half ? 0 : k;
  const Complex<T> here = get(values, order[at]), there = get(values, order[at == 0 ? 0 : half - at]);
  const auto cosine = splat(turns[2 * k]), sine = splat(turns[2 * k + 1]);
  // Twice the spectra of the even and of the odd samples: Hermitian and anti-Hermitian parts.
  const auto even_re = here.re + there.re, even_im = here.im - there.im;
  const auto odd_re = here.im + there.im, odd_im = there.re - here.re;
  const auto re = even_re + cosine * odd_re - sine * odd_im;
  const auto im = even_im + cosine * odd_im + sine * odd_re;
  return (re * re + im * im) * splat(static_cast<T>(0.25));
}

}  // namespace earshot::EARSHOT_ISA
