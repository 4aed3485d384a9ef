// The resampler between two rates, without state: which outputs of a signal are wanted is said with every call.
#pragma once

#include <cstdint>

#include "aligned.h"
#include "kernels.h"

namespace earshot {

// Output k is the signal at input position k · down / up. Tap j of it weighs the sample at floor(position) − taps / 2 + 1 + j
// by rows[phase][j], where phase = k · down mod up (shared/signal/resample-filter.ts).
struct ResampleFigures {
  int up, down, taps;
};

class ResamplePlan {
 public:
  // @param rows [up][taps]
  ResamplePlan(const ResampleKernels& kernels, const ResampleFigures& figures, const float* rows);

  // Outputs first … first + count − 1. @param signal its samples from the input's sample `start` on; silence around them
  void compute(const float* signal, int64_t length, int64_t start, int64_t first, int64_t count, float* outputs);

 private:
  // Neighbouring outputs of a period.
  struct Group {
    int64_t sample;  // that the first lane's first tap weighs, from the period's first sample on
    int length;      // samples that the group weighs
    size_t weights;
  };

  const ResampleKernels& kernels_;
  const ResampleFigures figures_;
  int64_t period_;   // outputs after which all comes again
  int64_t samples_;  // that a period moves on
  std::vector<Group> groups_;
  AlignedArray<float> weights_;  // a group's [length][lanes], one after the other
  std::vector<float> edge_;      // where a stretch reaches beyond the signal
  std::vector<float> sums_;
};

}  // namespace earshot
