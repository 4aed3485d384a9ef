// The log-mel front end of `mel`, in double precision.
#include "../front_end_kernels.h"
#include "spectra.h"

namespace earshot::EARSHOT_ISA {

namespace {

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
    store(spectrum + k * kWideLanes, power_of(values, half, is.order, is.turns, k));
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
