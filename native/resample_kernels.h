// Band-limited resampling (shared/signal/resample.ts): what an instruction set offers.
#pragma once

namespace earshot {

// The most stretches of input that one call reads.
constexpr int kMostStretches = 12;

// One lane an output: neighbouring outputs read nearly the same samples, each with weights of its own, zeros beyond them.
struct ResampleKernels {
  int outputs;  // of a group
  // outputs[s][lane] = Σ samples[s][i] · weights[i][lane], i < length, an even number
  void (*group)(const float* weights, int length, const float* const* samples, int stretches, float* outputs);
};

}  // namespace earshot
