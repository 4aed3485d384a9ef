// A batch norm of `mel`: the statistics that it uses at the moment, laid out for the kernels.
#pragma once

#include "aligned.h"
#include "mel_plan.h"

namespace earshot {

// A mean and a sum of squares around it of so many figures a channel; or, backwards, two sums. One for each crop.
struct CropSums {
  explicit CropSums(int channels) : values(2 * static_cast<size_t>(padded_channels(channels))) {}
  float* first() { return values.data(); }
  float* second() { return values.data() + values.size() / 2; }
  AlignedArray<float> values;
};

// A norm by its running statistics, for one channel: z = x · factor + shift.
struct FoldedNorm {
  double factor, shift;
};

// @param values the network's
FoldedNorm fold_norm(const float* values, const NormPlace& place, size_t channel);

class MelNorm {
 public:
  explicit MelNorm(int channels);

  // @param values the network's
  void use_running(const float* values, const NormPlace& place);
  // The statistics of a batch whose crops have `positions` figures a channel each.
  void use_batch(const float* values, const NormPlace& place, std::vector<CropSums>& crops, int positions);
  // Moves the running statistics to those of the batch.
  void update_running(float* values, const NormPlace& place) const;

  // Out of the crops' Σ dz and Σ dz · (x − mean): the gradients of scale and shift, and the terms of the map's.
  void backward(std::vector<CropSums>& crops, const NormPlace& place, float* gradients);

  MapNorm over(int rows, int columns, bool relu, bool pooled) const {
    return {rows, columns, static_cast<int>(mean_.size()), relu, pooled, mean_.data(), factor_.data(), shift_.data()};
  }
  NormGradient gradient() const { return {offset_.data(), slope_.data()}; }

 private:
  void set(size_t channel, double mean, double variance, const float* values, const NormPlace& place);

  double figures_ = 0;  // a channel
  AlignedArray<double> variance_;
  AlignedArray<double> inverse_;  // 1 / deviation
  AlignedArray<float> mean_, factor_, shift_, offset_, slope_;
};

}  // namespace earshot
