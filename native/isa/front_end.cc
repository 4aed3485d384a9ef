// Spectra of real frames, side by side: the even samples and the odd ones of each go through one complex transform of
// half the size as its real and imaginary part (radix 4, in place, decimation in frequency). In which order the values
// come out does not matter: whoever reads one reads a vector.
#include "../front_end_kernels.h"
#include "wide.h"

namespace earshot::EARSHOT_ISA {

namespace {

constexpr int kValue = 2 * kWideLanes;  // doubles of a complex value

struct Complex {
  Wide re, im;
};

EARSHOT_INLINE Complex get(const double* values, long at) {
  return {load(values + at * kValue), load(values + at * kValue + kWideLanes)};
}

EARSHOT_INLINE void put(double* values, long at, Complex value) {
  store(values + at * kValue, value.re);
  store(values + at * kValue + kWideLanes, value.im);
}

EARSHOT_INLINE Complex turned(Complex value, const double* twiddle) {
  const Wide re = splat(twiddle[0]), im = splat(twiddle[1]);
  return {re * value.re - im * value.im, re * value.im + im * value.re};
}

template <bool kTurns>
EARSHOT_INLINE void butterfly4(double* values, long at, long quarter, const double* twiddles) {
  const Complex a = get(values, at), b = get(values, at + quarter);
  const Complex c = get(values, at + 2 * quarter), d = get(values, at + 3 * quarter);
  const Complex sum = {a.re + c.re, a.im + c.im}, difference = {a.re - c.re, a.im - c.im};
  const Complex other = {b.re + d.re, b.im + d.im}, across = {b.re - d.re, b.im - d.im};
  // a − c ∓ j (b − d)
  const Complex first = {difference.re + across.im, difference.im - across.re};
  const Complex second = {sum.re - other.re, sum.im - other.im};
  const Complex third = {difference.re - across.im, difference.im + across.re};
  put(values, at, {sum.re + other.re, sum.im + other.im});
  put(values, at + quarter, kTurns ? turned(first, twiddles) : first);
  put(values, at + 2 * quarter, kTurns ? turned(second, twiddles + 2) : second);
  put(values, at + 3 * quarter, kTurns ? turned(third, twiddles + 4) : third);
}

// All passes from `length` values on.
void transform(double* values, int length, const double* twiddles) {
  if (length <= 1) return;
  if (length == 2) {
    const Complex a = get(values, 0), b = get(values, 1);
    put(values, 0, {a.re + b.re, a.im + b.im});
    put(values, 1, {a.re - b.re, a.im - b.im});
    return;
  }
  const int quarter = length / 4;
  butterfly4<false>(values, 0, quarter, twiddles);
  for (int p = 1; p < quarter; p++) butterfly4<true>(values, p, quarter, twiddles + 6 * p);
  if (quarter == 1) return;
  for (int part = 0; part < 4; part++) transform(values + part * quarter * kValue, quarter, twiddles + 6 * quarter);
}

void read_frames(const SpectrumTables& is, const float* const* frames, double* values) {
  for (int i = 0; i < is.size; i += kWideLanes) {
    const Wide window = load(is.window + i);
    Wide rows[kWideLanes];
#pragma GCC unroll 8
    for (int f = 0; f < kWideLanes; f++) rows[f] = widen(frames[f] + i) * window;
    transpose(rows);
    // Sample after sample is real part after imaginary part.
#pragma GCC unroll 8
    for (int f = 0; f < kWideLanes; f++) store(values + (i + f) * kWideLanes, rows[f]);
  }
}

void mel_power(const SpectrumTables& is, const float* const* frames, double* scratch, double* power) {
  const int half = is.size / 2;
  double* values = scratch;
  double* spectrum = scratch + is.size * kWideLanes;
  read_frames(is, frames, values);
  transform(values, half, is.twiddles);
  for (int k = 0; k < is.bins; k++) {
    const int at = k == half ? 0 : k;
    const Complex here = get(values, is.order[at]), there = get(values, is.order[at == 0 ? 0 : half - at]);
    const Wide cosine = splat(is.turns[2 * k]), sine = splat(is.turns[2 * k + 1]);
    // Twice the spectra of the even and of the odd samples: Hermitian and anti-Hermitian parts.
    const Wide even_re = here.re + there.re, even_im = here.im - there.im;
    const Wide odd_re = here.im + there.im, odd_im = there.re - here.re;
    const Wide re = even_re + cosine * odd_re - sine * odd_im;
    const Wide im = even_im + cosine * odd_im + sine * odd_re;
    store(spectrum + k * kWideLanes, (re * re + im * im) * splat(0.25));
  }
  const double* weights = is.weights;
  for (int filter = 0; filter < is.filters; filter++) {
    Wide sum{};
    const double* bins = spectrum + is.first[filter] * kWideLanes;
    for (int i = 0; i < is.count[filter]; i++) sum += splat(*weights++) * load(bins + i * kWideLanes);
    store(power + filter * kWideLanes, sum);
  }
}

EARSHOT_INLINE Wide decibels_of(Wide power, double scale, double top, double range) {
  constexpr double kOfLog2 = 3.0102999566398120;
  const Wide value = log2(power * splat(scale) + splat(1e-10)) * splat(kOfLog2) - splat(top);
  return value > splat(-range) ? value : splat(-range);
}

void decibels(const double* power, int count, double scale, double top, double range, float* result) {
  int i = 0;
  for (; i + kWideLanes <= count; i += kWideLanes) {
    store_narrow(result + i, decibels_of(load(power + i), scale, top, range));
  }
  for (; i < count; i++) result[i] = static_cast<float>(decibels_of(splat(power[i]), scale, top, range)[0]);
}

}  // namespace

extern const FrontEndKernels front_end_kernels;
const FrontEndKernels front_end_kernels = {kWideLanes, mel_power, decibels};

}  // namespace earshot::EARSHOT_ISA
