// A batch norm of the small encoder's network, with the statistics in use laid out for the kernels.
#pragma once

#include "aligned.h"
#include "small_net_plan.h"

namespace earshot {

// Two sums of each channel over one picture: forward its mean and its sum of squared differences from the
// mean, backward Σ dz and Σ dz · (x − mean).
struct PictureSums {
  explicit PictureSums(int channels) : values(2 * static_cast<size_t>(padded_channels(channels))) {}
  float* first() { return values.data(); }
  float* second() { return values.data() + values.size() / 2; }
  AlignedArray<float> values;
};

// A norm with its running statistics as a linear function, for one channel: z = x · factor + shift.
struct FoldedNorm {
  double factor, shift;
};

// @param values all parameters of the network
FoldedNorm fold_norm(const float* values, const NormPlace& place, size_t channel);

class SmallNorm {
 public:
  explicit SmallNorm(int channels);

  // Uses the running statistics. @param values all parameters of the network
  void use_running(const float* values, const NormPlace& place);
  // Uses the statistics of a batch, whose pictures have `positions` values of each channel.
  void use_batch(const float* values, const NormPlace& place, std::vector<PictureSums>& pictures, int positions);
  // Moves the running statistics towards those of the batch.
  void update_running(float* values, const NormPlace& place) const;

  // Computes the gradients of scale and shift from the pictures' Σ dz and Σ dz · (x − mean), and prepares
  // `gradient()` for the maps.
  void backward(std::vector<PictureSums>& pictures, const NormPlace& place, float* gradients);

  MapNorm over(int rows, int columns, bool relu, bool pooled) const {
    return {rows, columns, static_cast<int>(mean_.size()), relu, pooled, mean_.data(), factor_.data(), shift_.data()};
  }
  NormGradient gradient() const { return {offset_.data(), slope_.data()}; }

 private:
  void set(size_t channel, double mean, double variance, const float* values, const NormPlace& place);

  double figures_ = 0;  // number of values of a channel in the batch
  AlignedArray<double> variance_;
  AlignedArray<double> inverse_;  // 1 / deviation
  AlignedArray<float> mean_, factor_, shift_, offset_, slope_;
};

}  // namespace earshot
