#include "mel_norm.h"

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

MelNorm::MelNorm(int channels)
    : variance_(padded(channels)),
      inverse_(padded(channels)),
      mean_(padded(channels)),
      factor_(padded(channels)),
      shift_(padded(channels)),
      offset_(padded(channels)),
      slope_(padded(channels)) {}

void MelNorm::set(size_t channel, double mean, double variance, const float* values, const NormPlace& place) {
  variance_[channel] = variance;
  inverse_[channel] = 1 / std::sqrt(variance + kEpsilon);
  mean_[channel] = static_cast<float>(mean);
  factor_[channel] = static_cast<float>(values[place.scale + channel] * inverse_[channel]);
  shift_[channel] = values[place.shift + channel];
}

void MelNorm::use_running(const float* values, const NormPlace& place) {
  for (size_t c = 0; c < static_cast<size_t>(place.channels); c++) {
    set(c, values[place.mean + c], values[place.variance + c], values, place);
  }
}

void MelNorm::use_batch(const float* values, const NormPlace& place, std::vector<CropSums>& crops, int positions) {
  const double each = positions, count = static_cast<double>(crops.size());
  figures_ = each * count;
  for (size_t c = 0; c < static_cast<size_t>(place.channels); c++) {
    double mean = 0, squares = 0;
    for (CropSums& crop : crops) mean += crop.first()[c];
    mean /= count;
    for (CropSums& crop : crops) {
      const double from = crop.first()[c] - mean;
      squares += crop.second()[c] + each * from * from;
    }
    set(c, mean, squares / figures_, values, place);
  }
}

void MelNorm::update_running(float* values, const NormPlace& place) const {
  const double unbiased = figures_ > 1 ? figures_ / (figures_ - 1) : 1;
  for (size_t c = 0; c < static_cast<size_t>(place.channels); c++) {
    float& mean = values[place.mean + c];
    float& variance = values[place.variance + c];
    mean = static_cast<float>(mean * (1 - kMomentum) + mean_[c] * kMomentum);
    variance = static_cast<float>(variance * (1 - kMomentum) + variance_[c] * unbiased * kMomentum);
  }
}

void MelNorm::backward(std::vector<CropSums>& crops, const NormPlace& place, float* gradients) {
  for (size_t c = 0; c < static_cast<size_t>(place.channels); c++) {
    double plain = 0, centred = 0;
    for (CropSums& crop : crops) {
      plain += crop.first()[c];
      centred += crop.second()[c];
    }
    gradients[place.shift + c] = static_cast<float>(plain);
    gradients[place.scale + c] = static_cast<float>(centred * inverse_[c]);
    // dx = factor · (dz − mean(dz) − x̂ · mean(dz · x̂)), where x̂ = (x − mean) / deviation
    offset_[c] = static_cast<float>(factor_[c] * plain / figures_);
    slope_[c] = static_cast<float>(factor_[c] * centred * inverse_[c] * inverse_[c] / figures_);
  }
}

}  // namespace earshot
