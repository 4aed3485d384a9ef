// The report's CombinedModel ("Architecture 2"): the trunk, a class token, the encoder and a linear
// layer to the classes.
#pragma once

#include <memory>

#include "encoder.h"
#include "network.h"
#include "thread_pool.h"
#include "trunk.h"

namespace earshot {

class Transformer : public Network {
 public:
  // @param rate dropout rate in [0, 1)
  // @param heads 1, 2 or 4
  Transformer(const Kernels& kernels, int threads, int samples, int classes, double rate, int heads, int hidden);

  void weights_changed() override;
  void infer(const float* features, int clips, int length, float* logits) override;
  StepResult step(const Batch& batch, double learning_rate, double step) override;
  StepResult gradients(const Batch& batch, float* gradients) override;

 private:
  // State of a clip's inference.
  struct Pass {
    AlignedArray<float> tokens;
    EncoderPass encoder;
  };
  // Memory of a worker's training pass, which computes both passes of a clip before the next clip.
  struct Workplace {
    TrunkTape trunk;
    EncoderTape encoder;
    AlignedArray<float> d_tokens, logits, d_logits;
  };

  void infer_group(const float* features, int clips, float* logits);
  StepResult pass(const Batch& batch, float* gradients);
  StepResult clip_pass(const Batch& batch, int clip, int worker, float* gradients);
  const float* encoder_weights() const { return values.data() + kTrunkParameters; }

  const Kernels& kernels_;
  ThreadPool pool_;
  Trunk trunk_;
  Encoder encoder_;
  const double rate_;
  std::vector<std::unique_ptr<Pass>> passes_;
  std::vector<std::unique_ptr<Workplace>> workplaces_;
  AlignedArray<float> clip_gradients_;  // [clips][total()]
  AlignedArray<float> gradients_;       // [total()]
};

}  // namespace earshot
