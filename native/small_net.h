// The small encoder's network (shared/compute/network/small-network.ts), as it learns from the pretrained
// encoder. Inputs are pictures [frames][64] of at least kFewestFrames frames.
#pragma once

#include "small_net_inference.h"
#include "small_net_training.h"

namespace earshot {

// Parameters of AdamW, and the decay of the running means of the weights.
struct SmallOptimiser {
  double beta2, weight_decay, average_decay;
};

class SmallNet : public Network {
 public:
  // @param features as SmallTraining's
  SmallNet(const Kernels& kernels, int threads, const SmallSize& size, const SmallOptimiser& optimiser, int features);

  bool accepts(size_t length) const override;
  int taught_features() const override { return features_; }
  void weights_changed() override { ready_ = false; }
  void infer(const float* features, int clips, int length, float* logits) override;
  StepResult step(const Batch& batch, double learning_rate, double step) override;
  StepResult gradients(const Batch& batch, float* gradients) override;

 private:
  void prepare(int frames);
  void optimise(double learning_rate, double step);
  const float* judged() const { return averages.size() > 0 ? averages.data() : values.data(); }

  const Kernels& kernels_;
  ThreadPool pool_;
  const SmallSize size_;
  const SmallParameters parameters_;
  const SmallOptimiser optimiser_;
  const int features_;
  SmallTraining training_;
  AlignedArray<float> gradients_;
  // A range of the values that one work item of the optimiser updates.
  struct Stretch {
    size_t first, count;
    bool learns, decays;
  };
  std::vector<Stretch> stretches_;

  // State of inference; made again when the weights or the number of frames change.
  bool ready_ = false;
  std::unique_ptr<SmallPlan> plan_;
  SmallWeights weights_;
  std::vector<SmallRoom> rooms_;  // by worker
};

}  // namespace earshot
