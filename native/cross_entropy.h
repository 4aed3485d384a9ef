// Softmax and cross-entropy.
#pragma once

#include <algorithm>
#include <cmath>

#include "network.h"

namespace earshot {

// The terms of a softmax: the highest logit, and the sum of exp(logit − highest).
struct Softmax {
  Softmax(const float* logits, int classes) : logits(logits), highest(std::max_element(logits, logits + classes)), sum(0) {
    for (int c = 0; c < classes; c++) sum += std::exp(static_cast<double>(logits[c]) - *highest);
  }
  double probability(int c) const { return std::exp(static_cast<double>(logits[c]) - *highest) / sum; }
  double loss(int c) const { return std::log(sum) + *highest - logits[c]; }

  const float *logits, *highest;
  double sum;
};

// Returns a clip's cross-entropy in nats, and whether the label's logit is the highest.
// @param d_logits [classes], receives the gradient times `weight`
inline StepResult cross_entropy(const float* logits, int classes, int label, double weight, float* d_logits) {
  const Softmax softmax(logits, classes);
  for (int c = 0; c < classes; c++) {
    d_logits[c] = static_cast<float>((softmax.probability(c) - (c == label)) * weight);
  }
  return {softmax.loss(label), softmax.highest - logits == label};
}

}  // namespace earshot
