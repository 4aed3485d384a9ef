// The encoder's operations between attentions, on planes: tokens are in the lanes, channel after
// channel. `rows` are [16] vectors, the channels of kLanes tokens.
#pragma once

#include "../encoder_kernels.h"
#include "dropout.h"

namespace earshot::EARSHOT_ISA {

constexpr int kChannels = kTokenWidth;
constexpr float kNormEpsilon = 1e-5f;

EARSHOT_INLINE void load_rows(const float* plane, int stride, Vec* rows) {
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; c++) rows[c] = load(plane + c * stride);
}

EARSHOT_INLINE void store_rows(float* plane, int stride, const Vec* rows) {
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; c++) store(plane + c * stride, rows[c]);
}

// out[c] = bias[c] + Σ in[j] kernel[j][c]
static inline __attribute__((noinline)) void project(const Vec* in, const float* kernel, const float* bias, Vec* out) {
  constexpr int kGroup = kRegisters == 32 ? kChannels : kChannels / 2;
  for (int first = 0; first < kChannels; first += kGroup) {
    Vec sums[kGroup];
#pragma GCC unroll 16
    for (int c = 0; c < kGroup; c++) sums[c] = bias == nullptr ? Vec{} : splat(bias[first + c]);
#pragma GCC unroll 1
    for (int j = 0; j < kChannels; j++) {
      const Vec x = in[j];
#pragma GCC unroll 16
      for (int c = 0; c < kGroup; c++) sums[c] = fma(x, splat(kernel[j * kChannels + first + c]), sums[c]);
    }
#pragma GCC unroll 16
    for (int c = 0; c < kGroup; c++) out[first + c] = sums[c];
  }
}

// out[j] += Σ in[c] kernel[j][c]: the gradient of project's input.
static inline __attribute__((noinline)) void project_back(const Vec* in, const float* kernel, Vec* out) {
#pragma GCC unroll 1
  for (int j = 0; j < kChannels; j += 4) {
    Vec sums[4] = {out[j], out[j + 1], out[j + 2], out[j + 3]};
#pragma GCC unroll 16
    for (int c = 0; c < kChannels; c++) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) sums[i] = fma(in[c], splat(kernel[(j + i) * kChannels + c]), sums[i]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) out[j + i] = sums[i];
  }
}

// Computes the dropout factors, 0 or 1 / (1 − rate), of kLanes tokens. Lane and channel belong to the
// element `first` + 16 · lane + channel of shared/compute/network/dropout.ts.
EARSHOT_INLINE void dropout_rows(const EncoderDropout& dropout, int place, uint32_t first, Vec* factors) {
  const DropoutRate rate = dropout_rate(dropout.rate);
  const UintVec threshold = splat_bits(rate.threshold);
  const Vec kept = splat(rate.kept);
  const UintVec pair = splat_bits(first / 2) + lane_numbers() * (kChannels / 2);
#pragma GCC unroll 8
  for (int c = 0; c < kChannels; c += 2) {
    const UintVec bits = hash32((pair + static_cast<uint32_t>(c / 2)) ^ splat_bits(dropout.seeds[place]));
    factors[c] = select((bits & 0xffffu) < threshold, Vec{}, kept);
    factors[c + 1] = select((bits >> 16) < threshold, Vec{}, kept);
  }
}

// normal = (rows − mean) / deviation, over the channels. @return 1 / deviation
EARSHOT_INLINE Vec normalise(const Vec* rows, Vec* normal) {
  Vec mean{}, variance{};
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; c++) mean += rows[c];
  mean *= splat(1.0f / kChannels);
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; c++) {
    normal[c] = rows[c] - mean;
    variance = fma(normal[c], normal[c], variance);
  }
  const Vec inverse = splat(1) / sqrt(fma(variance, splat(1.0f / kChannels), splat(kNormEpsilon)));
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; c++) normal[c] *= inverse;
  return inverse;
}

// rows = normal · scale + shift
EARSHOT_INLINE void scale_and_shift(const Vec* normal, const float* scale, const float* shift, Vec* rows) {
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; c++) rows[c] = fma(normal[c], splat(scale[c]), splat(shift[c]));
}

// Replaces the gradient of the normalised rows by that of the rows.
EARSHOT_INLINE void normalise_back(const Vec* normal, Vec inverse, Vec* gradient) {
  Vec mean{}, product{};
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; c++) {
    mean += gradient[c];
    product = fma(gradient[c], normal[c], product);
  }
  mean *= splat(1.0f / kChannels);
  product *= splat(1.0f / kChannels);
#pragma GCC unroll 16
  for (int c = 0; c < kChannels; c++) gradient[c] = inverse * (gradient[c] - mean - normal[c] * product);
}

}  // namespace earshot::EARSHOT_ISA
