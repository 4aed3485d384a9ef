// Gradients of a trunk block's kernel and input. Of the two convolution positions of a pooled output
// only the larger one has a gradient, and neither has one where ReLU or dropout has made the output
// zero. The half to two thirds of the terms that are zero are skipped. Each other term takes taps × in
// multiply-adds on contiguous memory, with the sums in registers.
#pragma once

#include "../trunk_kernels.h"
#include "vec.h"

namespace earshot::EARSHOT_ISA {

// The largest divisor of `value` that is at most `max`.
constexpr int largest_divisor(int value, int max) {
  int best = 1;
  for (int i = 1; i <= max; i++) best = value % i == 0 ? i : best;
  return best;
}

// The outputs of kRows pooled rows that have a gradient.
template <int kRows, int kOut>
struct ActiveOutputs {
  struct Entry {
    int32_t row;  // row of the input at which the receptive field of the larger position begins
    float gradient;
  };
  float gradients[kRows * kOut];
  uint64_t first[kRows], second[kRows];  // bit c: channel c has a gradient at its first (second) position
  Entry entries[kOut][kRows];            // the same outputs, by channel
  int counts[kOut];
};

// Finds the outputs that have a gradient.
// @param outputs [kRows][kOut] after ReLU and dropout; a gradient passes where they are positive
// @param gradients [kRows][kOut] of the outputs
// @param kept dropout's factor of a kept activation
// @param bias [kOut], the sums of the gradients are added to it
template <int kRows, int kOut>
EARSHOT_INLINE void find_active(const float* outputs, const float* gradients, const uint64_t* winners, float kept,
                                ActiveOutputs<kRows, kOut>& active, float* bias) {
  for (int channel = 0; channel < kOut; channel++) active.counts[channel] = 0;
  for (int row = 0; row < kRows; row++) {
    uint64_t bits = 0;
    for (int channel = 0; channel < kOut; channel += kLanes) {
      const Vec gradient = load(gradients + row * kOut + channel) * kept;
      const IntVec passes = (load(outputs + row * kOut + channel) > 0) & (gradient != 0);
      const Vec passed = select(passes, gradient, Vec{});
      store(active.gradients + row * kOut + channel, passed);
      store(bias + channel, load(bias + channel) + passed);
      bits |= static_cast<uint64_t>(to_bits(passes)) << channel;
    }
    active.first[row] = bits & ~winners[row];
    active.second[row] = bits & winners[row];
    for (uint64_t rest = bits; rest != 0; rest &= rest - 1) {
      const int channel = __builtin_ctzll(rest);
      const int32_t field = 4 * row + 2 * static_cast<int32_t>(winners[row] >> channel & 1);
      active.entries[channel][active.counts[channel]++] = {field, active.gradients[row * kOut + channel]};
    }
  }
}

// Adds to the kernel's gradient.
// @param rows the block's input [row][kIn], from the receptive field of the first pooled row on
// @param kernel [kOut][kTaps × kIn], the gradient
template <int kTaps, int kIn, int kOut, int kRows>
EARSHOT_INLINE void add_kernel_gradient(const float* rows, const ActiveOutputs<kRows, kOut>& active, float* kernel) {
  constexpr int kVecs = kTaps * kIn / kLanes;
  constexpr int kGroup = largest_divisor(kVecs, kRegisters - 6);
  for (int channel = 0; channel < kOut; channel++) {
    const auto* entries = active.entries[channel];
    const int count = active.counts[channel];
    for (int group = 0; group < kVecs; group += kGroup) {
      float* target = kernel + (channel * kVecs + group) * kLanes;
      Vec sums[kGroup];
#pragma GCC unroll 32
      for (int v = 0; v < kGroup; v++) sums[v] = load(target + v * kLanes);
#pragma GCC unroll 1
      for (int i = 0; i < count; i++) {
        const float* field = rows + static_cast<long>(entries[i].row) * kIn + group * kLanes;
        const Vec gradient = splat(entries[i].gradient);
#pragma GCC unroll 32
        for (int v = 0; v < kGroup; v++) sums[v] = fma(gradient, load(field + v * kLanes), sums[v]);
      }
#pragma GCC unroll 32
      for (int v = 0; v < kGroup; v++) store(target + v * kLanes, sums[v]);
    }
  }
}

// Computes the gradients of 4 × kRows input rows, from the first row of the first pooled row's receptive
// field on.
// @param transposed the kernel as [kOut][kTaps × kIn]
// @param carry [kTaps − 2][kIn]: contributions of the previous call to the first rows of this one;
//   replaced by those of this call to the next one
// @param result [4 × kRows][kIn], overwritten
template <int kTaps, int kIn, int kOut, int kRows>
EARSHOT_INLINE void input_gradient(const ActiveOutputs<kRows, kOut>& active, const float* transposed, float* carry,
                                   float* result) {
  constexpr int kSpan = kTaps + 2, kKept = kTaps - 2;
  constexpr int kVecs = kIn / kLanes;
  constexpr int kGroup = largest_divisor(kVecs, (kRegisters - 2) / kSpan);
  for (int group = 0; group < kVecs; group += kGroup) {
    const float* kernel = transposed + group * kLanes;
    Vec sums[kSpan][kGroup] = {};
#pragma GCC unroll 4
    for (int r = 0; r < kKept; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kGroup; v++) sums[r][v] = load(carry + r * kIn + (group + v) * kLanes);
    }
#pragma GCC unroll 1
    for (int row = 0; row < kRows; row++) {
      const float* gradients = active.gradients + row * kOut;
#pragma GCC unroll 1
      for (uint64_t rest = active.first[row]; rest != 0; rest &= rest - 1) {
        const int channel = __builtin_ctzll(rest);
        const Vec gradient = splat(gradients[channel]);
        const float* taps = kernel + channel * (kTaps * kIn);
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; t++) {
#pragma GCC unroll 8
          for (int v = 0; v < kGroup; v++) sums[t][v] = fma(gradient, load(taps + t * kIn + v * kLanes), sums[t][v]);
        }
      }
#pragma GCC unroll 1
      for (uint64_t rest = active.second[row]; rest != 0; rest &= rest - 1) {
        const int channel = __builtin_ctzll(rest);
        const Vec gradient = splat(gradients[channel]);
        const float* taps = kernel + channel * (kTaps * kIn);
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; t++) {
#pragma GCC unroll 8
          for (int v = 0; v < kGroup; v++) {
            sums[t + 2][v] = fma(gradient, load(taps + t * kIn + v * kLanes), sums[t + 2][v]);
          }
        }
      }
      // Four rows are complete and stored; the remaining sums move up by four rows.
#pragma GCC unroll 8
      for (int v = 0; v < kGroup; v++) {
        float* target = result + row * 4 * kIn + (group + v) * kLanes;
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) store(target + r * kIn, sums[r][v]);
#pragma GCC unroll 4
        for (int r = 0; r < kKept; r++) sums[r][v] = sums[r + 4][v];
#pragma GCC unroll 8
        for (int r = kKept; r < kSpan; r++) sums[r][v] = Vec{};
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kKept; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kGroup; v++) store(carry + r * kIn + (group + v) * kLanes, sums[r][v]);
    }
  }
}

}  // namespace earshot::EARSHOT_ISA
