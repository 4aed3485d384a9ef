// The networks `mel` and `mel-small` (shared/compute/network/mel.ts). Inputs are crops [frames][64] of
// at least kFewestFrames frames.
#pragma once

#include "mel_inference.h"
#include "mel_training.h"

namespace earshot {

// Parameters of AdamW, and the decay of the running means of the weights.
struct MelOptimiser {
  double beta2, weight_decay, average_decay;
};

class Mel : public Network {
 public:
  // @param rate dropout rate in [0, 1)
  // @param taught as MelTraining's
  Mel(const Kernels& kernels, int threads, const MelSize& size, double rate, const MelOptimiser& optimiser, int taught);

  bool accepts(size_t length) const override;
  bool mixes() const override { return true; }
  int free_targets() const override { return taught_; }
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
  const MelSize size_;
  const MelParameters parameters_;
  const MelOptimiser optimiser_;
  const int taught_;
  MelTraining training_;
  AlignedArray<float> gradients_;
  // A range of the values that one work item of the optimiser updates.
  struct Stretch {
    size_t first, count;
    bool learns, decays;
  };
  std::vector<Stretch> stretches_;

  // State of inference; made again when the weights or the number of frames change.
  bool ready_ = false;
  std::unique_ptr<MelPlan> plan_;
  MelWeights weights_;
  std::vector<MelRoom> rooms_;  // by worker
};

}  // namespace earshot
