// Kernel for band-limited resampling (shared/signal/resample.ts), as a table for each instruction set.
#pragma once

namespace earshot {

// Largest number of stretches of input in one call.
constexpr int kMostStretches = 12;

// Each lane computes one output. Neighbouring outputs read nearly the same samples with different
// weights; a weight is zero for a sample that the output does not read.
struct ResampleKernels {
  int outputs;  // in a group: the number of lanes
  // outputs[s][lane] = Σ samples[s][i] · weights[i][lane] over i < length; `length` must be even
  void (*group)(const float* weights, int length, const float* const* samples, int stretches, float* outputs);
};

}  // namespace earshot
