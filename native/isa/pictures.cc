// Kernels of the pretrained encoder. Neighbouring pixels are in the lanes, so that no lanes are wasted
// for any number of channels.
#include "depthwise.h"
#include "exponential.h"
#include "spectra.h"

namespace earshot::EARSHOT_ISA {

namespace {

void weigh(const float* kernel, const float* shares, int in, float* weighed) {
  for (int i = 0; i < in; i++, kernel += kChannelGroup, weighed += kChannelGroup) {
    const float share = shares[i];
#pragma GCC unroll 8
    for (int o = 0; o < kChannelGroup; o++) weighed[o] = share * kernel[o];
  }
}

float total(const float* values, int rows, int columns, long row) {
  Vec all{};
  const IntVec tail = lanes_below(columns % kLanes);
  for (int r = 0; r < rows; r++, values += row) {
    int column = 0;
    for (; column + kLanes <= columns; column += kLanes) all += load(values + column);
    if (column < columns) all += masked(load(values + column), tail);
  }
  return sum(all);
}

template <Activation kActivation>
void dense_of(const float* input, int in, const float* kernel, long kernel_row, const float* bias, int out,
              float* output) {
  // All instruction sets compute kPixelStep outputs in a few vectors; four such groups where they are left.
  constexpr int kVecs = kPixelStep / kLanes;
  const auto step = [&]<int kCount>(int at, Vec(&sums)[kCount]) {
    // Inputs of even and of odd place are summed apart, so that additions wait less for each other.
    Vec others[kCount];
#pragma GCC unroll 16
    for (int v = 0; v < kCount; v++) sums[v] = load(bias + at + v * kLanes);
#pragma GCC unroll 16
    for (int v = 0; v < kCount; v++) others[v] = Vec{};
    const float* weights = kernel + at;
    int i = 0;
#pragma GCC unroll 1
    for (; i + 2 <= in; i += 2, weights += 2 * kernel_row) {
      const Vec x = splat(input[i]), y = splat(input[i + 1]);
#pragma GCC unroll 16
      for (int v = 0; v < kCount; v++) sums[v] = fma(x, load(weights + v * kLanes), sums[v]);
#pragma GCC unroll 16
      for (int v = 0; v < kCount; v++) others[v] = fma(y, load(weights + kernel_row + v * kLanes), others[v]);
    }
    if (i < in) {
#pragma GCC unroll 16
      for (int v = 0; v < kCount; v++) sums[v] = fma(splat(input[i]), load(weights + v * kLanes), sums[v]);
    }
#pragma GCC unroll 16
    for (int v = 0; v < kCount; v++) store(output + at + v * kLanes, activate<kActivation>(sums[v] + others[v]));
  };
  int o = 0;
  for (; o + 4 * kPixelStep <= out; o += 4 * kPixelStep) {
    Vec sums[4 * kVecs];
    step(o, sums);
  }
  for (; o < out; o += kPixelStep) {
    Vec sums[kVecs];
    step(o, sums);
  }
}

void dense(const float* input, int in, const float* kernel, long kernel_row, const float* bias, int out,
           Activation activation, float* output) {
  if (activation == Activation::kNone) return dense_of<Activation::kNone>(input, in, kernel, kernel_row, bias, out, output);
  if (activation == Activation::kRelu) return dense_of<Activation::kRelu>(input, in, kernel, kernel_row, bias, out, output);
  dense_of<Activation::kHardSwish>(input, in, kernel, kernel_row, bias, out, output);
}

void sigmoid(float* values, int count) {
  constexpr float kLog2E = 1.44269504f;
  for (int i = 0; i < count; i += kLanes) {
    Vec power = min(max(load(values + i) * splat(-kLog2E), splat(kLeastExponent)), splat(126.0f));
    exp2_each<1>(&power);
    store(values + i, splat(1.0f) / (splat(1.0f) + power));
  }
}

size_t mel_scratch(const MelTables& tables) { return static_cast<size_t>(tables.size + tables.bins) * kLanes; }

// (ln(power + 1e-5) + 4.5) / 5
EARSHOT_INLINE Vec mel_level(Vec power) {
  constexpr float kLn2 = 0.693147181f;
  return fma(log2(power + splat(1e-5f)), splat(kLn2 / 5), splat(0.9f));
}

// output[n] = samples[n + 1] − factor · samples[n] for `count` outputs
void emphasise(const float* samples, int count, float factor, float* output) {
  const Vec by = splat(-factor);
  int n = 0;
  for (; n + kLanes <= count; n += kLanes) store(output + n, fma(by, load(samples + n), load(samples + n + 1)));
  if (n == count) return;
  const int rest = count - n;
  store_tail(output + n, fma(by, load_tail(samples + n, rest), load_tail(samples + n + 1, rest)), rest);
}

void mel_rows(const MelTables& tables, const float* samples, int hop, float* scratch, float* rows, long row) {
  const int half = tables.size / 2;
  float* values = scratch;
  float* spectrum = scratch + static_cast<long>(tables.size) * kLanes;
  for (int i = 0; i < tables.start; i++) store(values + static_cast<long>(i) * kLanes, Vec{});
  for (int i = 0; i < tables.heard; i += kLanes) {
    const Vec window = load(tables.window + i);
    Vec frames[kLanes];
#pragma GCC unroll 16
    for (int f = 0; f < kLanes; f++) frames[f] = load(samples + f * hop + tables.start + i) * window;
    transpose(frames);
#pragma GCC unroll 16
    for (int f = 0; f < kLanes; f++) store(values + static_cast<long>(tables.start + i + f) * kLanes, frames[f]);
  }
  for (int i = tables.start + tables.heard; i < tables.size; i++) store(values + static_cast<long>(i) * kLanes, Vec{});
  transform(values, half, tables.twiddles);
  for (int k = 0; k < tables.bins; k++) {
    store(spectrum + static_cast<long>(k) * kLanes, power_of(values, half, tables.order, tables.turns, k));
  }
  const float* weights = tables.weights;
  for (int band = 0; band < tables.bands; band++) {
    Vec power{};
    const float* bins = spectrum + static_cast<long>(tables.first[band]) * kLanes;
    for (int i = 0; i < tables.count[band]; i++) power = fma(splat(*weights++), load(bins + i * kLanes), power);
    store(rows + band * row, mel_level(power));
  }
}

}  // namespace

extern const PictureKernels picture_kernels;
const PictureKernels picture_kernels = {kLanes,    mel_scratch, emphasise, mel_rows, split, stem,    expand,
                                        pointwise, depthwise,   weigh,    total, dense, sigmoid};

}  // namespace earshot::EARSHOT_ISA
