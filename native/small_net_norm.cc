#include "small_net_norm.h"

#include <cmath>

namespace earshot {

namespace {

// shared/compute/network/batch-norm.ts
constexpr double kEpsilon = 1e-5;
constexpr double kMomentum = 0.1;

size_t padded(int channels) { return static_cast<size_t>(padded_channels(channels)); }

}  // namespace

FoldedNorm fold_norm(const float* values, const NormPlace& place, size_t channel) {
  const double factor = values[place.scale + channel] / std::sqrt(values[place.variance + channel] + kEpsilon);
  return {factor, values[place.shift + channel] - values[place.mean + channel] * factor};
}

SmallNorm::SmallNorm(int channels)
    : variance_(padded(channels)),
      inverse_(padded(channels)),
      mean_(padded(channels)),
      factor_(padded(channels)),
      shift_(padded(channels)),
      offset_(padded(channels)),
      slope_(padded(channels)) {}

void SmallNorm::set(size_t channel, double mean, double variance, const float* values, const NormPlace& place) {
  variance_[channel] = variance;
  inverse_[channel] = 1 / std::sqrt(variance + kEpsilon);
  mean_[channel] = static_cast<float>(mean);
  factor_[channel] = static_cast<float>(values[place.scale + channel] * inverse_[channel]);
  shift_[channel] = values[place.shift + channel];
}

void SmallNorm::use_running(const float* values, const NormPlace& place) {
  for (size_t c = 0; c < static_cast<size_t>(place.channels); c++) {
    set(c, values[place.mean + c], values[place.variance + c], values, place);
  }
}

void SmallNorm::use_batch(const float* values, const NormPlace& place, std::vector<PictureSums>& pictures, int positions) {
  const double each = positions, count = static_cast<double>(pictures.size());
  figures_ = each * count;
  for (size_t c = 0; c < static_cast<size_t>(place.channels); c++) {
    double mean = 0, squares = 0;
    for (PictureSums& picture : pictures) mean += picture.first()[c];
    mean /= count;
    for (PictureSums& picture : pictures) {
      const double from = picture.first()[c] - mean;
      squares += picture.second()[c] + each * from * from;
    }
    set(c, mean, squares / figures_, values, place);
  }
}

void SmallNorm::update_running(float* values, const NormPlace& place) const {
  const double unbiased = figures_ > 1 ? figures_ / (figures_ - 1) : 1;
  for (size_t c = 0; c < static_cast<size_t>(place.channels); c++) {
    float& mean = values[place.mean + c];
    float& variance = values[place.variance + c];
    mean = static_cast<float>(mean * (1 - kMomentum) + mean_[c] * kMomentum);
    variance = static_cast<float>(variance * (1 - kMomentum) + variance_[c] * unbiased * kMomentum);
  }
}

void SmallNorm::backward(std::vector<PictureSums>& pictures, const NormPlace& place, float* gradients) {
  for (size_t c = 0; c < static_cast<size_t>(place.channels); c++) {
    double plain = 0, centred = 0;
    for (PictureSums& picture : pictures) {
      plain += picture.first()[c];
      centred += picture.second()[c];
    }
    gradients[place.shift + c] = static_cast<float>(plain);
    gradients[place.scale + c] = static_cast<float>(centred * inverse_[c]);
    // dx = factor · (dz − mean(dz) − x̂ · mean(dz · x̂)), where x̂ = (x − mean) / deviation
    offset_[c] = static_cast<float>(factor_[c] * plain / figures_);
    slope_[c] = static_cast<float>(factor_[c] * centred * inverse_[c] * inverse_[c] / figures_);
  }
}

}  // namespace earshot
