// The interface of a network to the JavaScript boundary.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "aligned.h"

namespace earshot {

struct StepResult {
  double loss;  // summed over the clips, before the step
  int correct;  // number of clips whose highest logit is that of their label; 0 where there are no labels
};

// A batch in training. `masks` holds Network::mask_words words for each clip: the clip's index in its
// slice of the batch, and a seed for each dropout layer (shared/compute/network/dropout.ts).
struct Batch {
  const float* features;  // [clips][inputs]
  int inputs;
  const int32_t* labels;  // null for a network that another one teaches
  const float* targets;   // [clips][classes], the teacher's outputs; else null
  int clips;
  const uint32_t* masks;
};

class Network {
 public:
  // @param sizes lengths of the parameter tensors, in the order in which they lie in `values`
  Network(std::vector<size_t> sizes, int inputs, int classes, int mask_words)
      : sizes(std::move(sizes)), inputs(inputs), classes(classes), mask_words(mask_words), values(total()) {}
  virtual ~Network() = default;

  const std::vector<size_t> sizes;
  const int inputs, classes, mask_words;

  AlignedArray<float> values;
  // Moments of the optimiser; empty until training begins.
  AlignedArray<float> first_moments, second_moments;
  // Running means of the values. Inference uses them if they are set; empty until then.
  AlignedArray<float> averages;

  size_t total() const { return std::accumulate(sizes.begin(), sizes.end(), size_t{0}); }

  // Whether clips may have this number of inputs.
  virtual bool accepts(size_t length) const { return length == static_cast<size_t>(inputs); }
  // Of a network that another one teaches, and that keeps `averages`: how many of the first outputs learn
  // features, which may be any numbers; the others learn probabilities. 0: the network learns from labels.
  virtual int taught_features() const { return 0; }

  // Called after `values` or `averages` changed from outside.
  virtual void weights_changed() = 0;
  // Computes logits. @param features [clips][length]  @param logits [clips][classes], overwritten
  virtual void infer(const float* features, int clips, int length, float* logits) = 0;
  // Takes one step of the optimiser on the mean loss; `step` is 1 for the first step.
  virtual StepResult step(const Batch& batch, double learning_rate, double step) = 0;
  // Computes the gradients of the mean loss, laid out as `values`. The weights do not change.
  virtual StepResult gradients(const Batch& batch, float* gradients) = 0;
};

}  // namespace earshot
