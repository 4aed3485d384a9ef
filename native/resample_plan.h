// A resampler between two rates. It keeps no state of a signal: every call names the outputs to compute.
#pragma once

#include <cstdint>

#include "aligned.h"
#include "kernels.h"

namespace earshot {

// Output k is the signal at the input position k · down / up. It is the sum over taps j of the sample at
// floor(position) − taps / 2 + 1 + j times rows[phase][j], where phase = k · down mod up
// (shared/signal/resample-filter.ts).
struct ResampleFigures {
  int up, down, taps;
};

class ResamplePlan {
 public:
  // @param rows [up][taps]
  ResamplePlan(const ResampleKernels& kernels, const ResampleFigures& figures, const float* rows);

  // Computes the outputs [first, first + count).
  // @param signal samples from the input's sample `start` on; samples outside of it count as zero
  void compute(const float* signal, int64_t length, int64_t start, int64_t first, int64_t count, float* outputs);

 private:
  // Neighbouring outputs of a period, one in each lane.
  struct Group {
    int64_t sample;  // first sample that the first lane reads, counted from the period's first sample
    int length;      // number of samples that the group reads
    size_t weights;  // offset in weights_
  };

  const ResampleKernels& kernels_;
  const ResampleFigures figures_;
  int64_t period_;   // number of outputs after which the phases repeat
  int64_t samples_;  // number of input samples in a period
  std::vector<Group> groups_;
  AlignedArray<float> weights_;  // group after group, [length][lanes] each
  std::vector<float> edge_;      // copies of stretches that reach beyond the signal
  std::vector<float> sums_;
};

}  // namespace earshot
