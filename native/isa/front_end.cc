// Kernels of the log-mel front end of `mel`, in double precision. Frames are in the lanes.
#include "../front_end_kernels.h"
#include "spectra.h"

namespace earshot::EARSHOT_ISA {

namespace {

void read_frames(const SpectrumTables& tables, const float* const* frames, double* values) {
  for (int i = 0; i < tables.size; i += kWideLanes) {
    const Wide window = load(tables.window + i);
    Wide rows[kWideLanes];
#pragma GCC unroll 8
    for (int f = 0; f < kWideLanes; f++) rows[f] = widen(frames[f] + i) * window;
    transpose(rows);
    // Even samples are the real parts and odd samples the imaginary parts of the complex transform.
#pragma GCC unroll 8
    for (int f = 0; f < kWideLanes; f++) store(values + (i + f) * kWideLanes, rows[f]);
  }
}

void mel_power(const SpectrumTables& tables, const float* const* frames, double* scratch, double* power) {
  const int half = tables.size / 2;
  double* values = scratch;
  double* spectrum = scratch + tables.size * kWideLanes;
  read_frames(tables, frames, values);
  transform(values, half, tables.twiddles);
  for (int k = 0; k < tables.bins; k++) {
    store(spectrum + k * kWideLanes, power_of(values, half, tables.order, tables.turns, k));
  }
  const double* weights = tables.weights;
  for (int filter = 0; filter < tables.filters; filter++) {
    Wide sum{};
    const double* bins = spectrum + tables.first[filter] * kWideLanes;
    for (int i = 0; i < tables.count[filter]; i++) sum += splat(*weights++) * load(bins + i * kWideLanes);
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
