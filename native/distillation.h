// The loss of a network that learns to give the outputs of a larger one (Hinton et al. 2015).
#pragma once

#include <algorithm>
#include <cmath>

namespace earshot {

// How many times the mean loss of the tags counts as much as that of the features, which is larger.
constexpr double kTagWeight = 20;

// A clip's loss: the mean squared error of the first `features` outputs, plus kTagWeight times the mean
// binary cross-entropy of the others, which are logits, against target probabilities.
// @param targets [outputs]: features, then probabilities
// @param d_outputs [outputs], receives the gradient times `weight`
inline double distillation(const float* outputs, int count, int features, const float* targets, double weight,
                           float* d_outputs) {
  double squares = 0, entropy = 0;
  for (int f = 0; f < features; f++) {
    const double error = static_cast<double>(outputs[f]) - targets[f];
    squares += error * error;
    d_outputs[f] = static_cast<float>(2 * error * weight / features);
  }
  const int tags = count - features;
  for (int t = features; t < count; t++) {
    const double logit = outputs[t], exponential = std::exp(-std::abs(logit));
    entropy += std::max(logit, 0.0) - logit * targets[t] + std::log1p(exponential);
    const double probability = logit < 0 ? exponential / (1 + exponential) : 1 / (1 + exponential);
    d_outputs[t] = static_cast<float>(kTagWeight * (probability - targets[t]) * weight / tags);
  }
  return squares / features + kTagWeight * entropy / tags;
}

}  // namespace earshot
