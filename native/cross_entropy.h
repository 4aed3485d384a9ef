// The loss of a classifier.
#pragma once

#include <algorithm>
#include <cmath>

#include "network.h"

namespace earshot {

// What a softmax makes of logits: the highest, and the sum of the exponentials below it.
struct Softmax {
  Softmax(const float* logits, int classes) : logits(logits), highest(std::max_element(logits, logits + classes)), sum(0) {
    for (int c = 0; c < classes; c++) sum += std::exp(static_cast<double>(logits[c]) - *highest);
  }
  double probability(int c) const { return std::exp(static_cast<double>(logits[c]) - *highest) / sum; }
  double loss(int c) const { return std::log(sum) + *highest - logits[c]; }

  const float *logits, *highest;
  double sum;
};

// A clip's cross-entropy in nats, and whether its highest logit is its label's.
// @param d_logits written: the gradient, times `weight`
inline StepResult cross_entropy(const float* logits, int classes, int label, double weight, float* d_logits) {
  const Softmax softmax(logits, classes);
  for (int c = 0; c < classes; c++) {
    d_logits[c] = static_cast<float>((softmax.probability(c) - (c == label)) * weight);
  }
  return {softmax.loss(label), softmax.highest - logits == label};
}

// The same with a share of each class for a label; the highest share is the one to be met.
inline StepResult cross_entropy(const float* logits, int classes, const float* targets, double weight, float* d_logits) {
  const Softmax softmax(logits, classes);
  double total = 0, loss = 0;
  for (int c = 0; c < classes; c++) {
    total += targets[c];
    loss += targets[c] * softmax.loss(c);
  }
  for (int c = 0; c < classes; c++) {
    d_logits[c] = static_cast<float>((softmax.probability(c) * total - targets[c]) * weight);
  }
  return {loss, softmax.highest - logits == std::max_element(targets, targets + classes) - targets};
}

}  // namespace earshot
