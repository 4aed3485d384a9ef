// The loss of a classifier.
#pragma once

#include <algorithm>
#include <cmath>

#include "network.h"

namespace earshot {

// A clip's cross-entropy in nats, and whether its highest logit is its label's.
// @param d_logits written: the gradient, times `weight`
inline StepResult cross_entropy(const float* logits, int classes, int label, double weight, float* d_logits) {
  const float* highest = std::max_element(logits, logits + classes);
  double sum = 0;
  for (int c = 0; c < classes; c++) sum += std::exp(static_cast<double>(logits[c]) - *highest);
  for (int c = 0; c < classes; c++) {
    const double probability = std::exp(static_cast<double>(logits[c]) - *highest) / sum;
    d_logits[c] = static_cast<float>((probability - (c == label)) * weight);
  }
  return {std::log(sum) + *highest - logits[label], highest - logits == label};
}

}  // namespace earshot
