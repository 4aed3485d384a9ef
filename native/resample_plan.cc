#include "resample_plan.h"

#include <algorithm>
#include <vector>

namespace earshot {

namespace {

// Largest share of lanes that may be idle in a period's last group; else a longer period is used.
constexpr double kMaxIdleShare = 0.1;

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

ResamplePlan::ResamplePlan(const ResampleKernels& kernels, const ResampleFigures& figures, const float* rows)
    : kernels_(kernels), figures_(figures) {
  const int64_t lanes = kernels.outputs, up = figures.up, down = figures.down, taps = figures.taps;
  int64_t repeats = 1;
  const auto idle = [&](int64_t outputs) { return static_cast<double>((lanes - outputs % lanes) % lanes) / static_cast<double>(outputs); };
  while (repeats < lanes && idle(repeats * up) > kMaxIdleShare) repeats++;
  period_ = repeats * up;
  samples_ = repeats * down;
  const auto first_tap = [&](int64_t output) { return output * down / up - taps / 2 + 1; };
  size_t total = 0;
  int longest = 0;
  for (int64_t output = 0; output < period_; output += lanes) {
    const int64_t last = std::min(output + lanes, period_) - 1;
    const int64_t length = first_tap(last) + taps - first_tap(output);
    // The kernel reads pairs of samples.
    const int even = static_cast<int>(length + length % 2);
    groups_.push_back({first_tap(output), even, total});
    total += static_cast<size_t>(even * lanes);
    longest = std::max(longest, even);
  }
  weights_ = AlignedArray<float>(total);
  for (size_t g = 0; g < groups_.size(); g++) {
    for (int64_t lane = 0; lane < lanes; lane++) {
      const int64_t output = static_cast<int64_t>(g) * lanes + lane;
      if (output >= period_) break;
      const float* row = rows + output * down % up * taps;
      const int64_t offset = first_tap(output) - groups_[g].sample;
      float* to = weights_.data() + groups_[g].weights + offset * lanes + lane;
      for (int64_t tap = 0; tap < taps; tap++) to[tap * lanes] = row[tap];
    }
  }
  edge_.resize(static_cast<size_t>(kMostStretches) * static_cast<size_t>(longest));
  sums_.resize(static_cast<size_t>(kMostStretches) * static_cast<size_t>(lanes));
}

void ResamplePlan::compute(const float* signal, int64_t length, int64_t start, int64_t first, int64_t count,
                           float* outputs) {
  const int64_t lanes = kernels_.outputs;
  for (size_t g = 0; g < groups_.size(); g++) {
    const Group& group = groups_[g];
    const int64_t begin = static_cast<int64_t>(g) * lanes;  // the group's first output in a period
    const int64_t size = std::min(lanes, period_ - begin);
    // The periods in which outputs of this group are wanted.
    const int64_t from = floor_divide(first - begin - size, period_) + 1;
    const int64_t to = floor_divide(first + count - 1 - begin, period_);
    for (int64_t at = from; at <= to; at += kMostStretches) {
      const int stretches = static_cast<int>(std::min<int64_t>(kMostStretches, to - at + 1));
      const float* samples[kMostStretches];
      for (int s = 0; s < stretches; s++) {
        const int64_t sample = (at + s) * samples_ + group.sample - start;
        if (sample >= 0 && sample + group.length <= length) {
          samples[s] = signal + sample;
          continue;
        }
        float* padded_stretch = edge_.data() + static_cast<size_t>(s) * static_cast<size_t>(group.length);
        std::fill_n(padded_stretch, group.length, 0.0f);
        const int64_t known = std::max<int64_t>(sample, 0), end = std::min<int64_t>(sample + group.length, length);
        if (known < end) std::copy(signal + known, signal + end, padded_stretch + (known - sample));
        samples[s] = padded_stretch;
      }
      kernels_.group(weights_.data() + group.weights, group.length, samples, stretches, sums_.data());
      for (int s = 0; s < stretches; s++) {
        const int64_t output = (at + s) * period_ + begin - first;
        const int64_t skip = std::max<int64_t>(0, -output), stop = std::min(size, count - output);
        for (int64_t lane = skip; lane < stop; lane++) outputs[output + lane] = sums_[static_cast<size_t>(s * lanes + lane)];
      }
    }
  }
}

}  // namespace earshot
