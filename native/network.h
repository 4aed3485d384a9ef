// A whole network: what the JavaScript boundary sees of an architecture.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "aligned.h"

namespace earshot {

struct StepResult {
  double loss;  // cross-entropy summed over the clips, before the step
  int correct;  // clips whose highest logit is their label's
};

// A batch in training. `masks` holds Network::mask_words words a clip: the clip's place in the slice whose dropout
// masks it is part of, and a seed for each place that drops.
struct Batch {
  const float* features;  // [clips][inputs]
  int inputs;
  const int32_t* labels;
  const float* targets;  // [clips][classes], shares of each class; null: the labels say it all
  int clips;
  const uint32_t* masks;
};

class Network {
 public:
  // @param sizes of the parameters' tensors, in the order in which they lie in `values`
  Network(std::vector<size_t> sizes, int inputs, int classes, int mask_words)
      : sizes(std::move(sizes)), inputs(inputs), classes(classes), mask_words(mask_words), values(total()) {}
  virtual ~Network() = default;

  const std::vector<size_t> sizes;
  const int inputs, classes, mask_words;

  AlignedArray<float> values;
  // The optimiser's; empty until training begins.
  AlignedArray<float> first_moments, second_moments;
  // Running means of the values, which inference then takes; empty until they are set.
  AlignedArray<float> averages;

  size_t total() const { return std::accumulate(sizes.begin(), sizes.end(), size_t{0}); }

  // Whether clips may have so many inputs.
  virtual bool accepts(size_t length) const { return length == static_cast<size_t>(inputs); }
  // Whether it learns from shares of classes, and keeps running means.
  virtual bool mixes() const { return false; }

  // Called after `values` or `averages` changed from outside.
  virtual void weights_changed() = 0;
  // @param logits [clips][classes]
  virtual void infer(const float* features, int clips, int length, float* logits) = 0;
  // One step of Adam on the mean cross-entropy; `step` is 1 for the first.
  virtual StepResult step(const Batch& batch, double learning_rate, double step) = 0;
  // The gradients of the mean cross-entropy, laid out as `values`; nothing else changes.
  virtual StepResult gradients(const Batch& batch, float* gradients) = 0;
};

}  // namespace earshot
