// The report's Conv1DNet ("Architecture 1"): the trunk, whose tokens are flattened channel by channel,
// then a linear layer to 128 units, ReLU and a linear layer to the classes.
#pragma once

#include <memory>

#include "frame_cache.h"
#include "network.h"
#include "thread_pool.h"
#include "trunk.h"

namespace earshot {

class Cnn : public Network {
 public:
  // @param rate dropout rate in [0, 1)
  // @param cache holds tokens of earlier frames; null: every clip is computed from its samples
  Cnn(const Kernels& kernels, int threads, int samples, int classes, double rate, std::unique_ptr<FrameCache> cache);

  void weights_changed() override;
  void infer(const float* features, int clips, int length, float* logits) override;
  StepResult step(const Batch& batch, double learning_rate, double step) override;
  StepResult gradients(const Batch& batch, float* gradients) override;

 private:
  // Memory for a batch. It is kept between calls and grows for a larger batch.
  struct Workspace {
    int clips = 0;
    AlignedArray<float> tokens;      // [clips][tokens][16]
    AlignedArray<float> flat;        // [clips][16 × tokens], channel by channel
    AlignedArray<float> partial;     // [chunks][clips][128]
    AlignedArray<float> hidden;      // [clips][128] after ReLU
    AlignedArray<float> logits;      // [clips][classes]
  };
  struct TrainingSpace {
    int clips = 0;
    std::vector<std::unique_ptr<TrunkTape>> tapes;
    AlignedArray<float> d_flat;       // [clips][16 × tokens]
    AlignedArray<float> d_tokens;     // [workers][tokens][16]
    AlignedArray<float> d_logits;     // [clips][classes]
    AlignedArray<float> d_hidden;     // [clips][128]
    AlignedArray<float> d_hidden_t;   // [128][clips, rounded up to 16]
    AlignedArray<float> d_trunk;      // [clips][kTrunkParameters]
    AlignedArray<float> small;        // all gradients but those of dense1's kernel, in the order of the values
  };

  // Tokens [first, last) of a clip, to be computed.
  struct Range {
    int clip, first, last;
  };
  // A frame of a clip in the batch.
  struct FrameWork {
    uint64_t hash = 0;
    const FrameCache::Frame* known = nullptr;
    uint64_t id = 0;     // in the cache; 0: not in it
    bool first = false;  // whether its first token is in the cache too
    int same_as = -1;    // index of an equal, earlier frame of the batch
  };

  void reserve(int clips);
  void infer_ranges(const float* features, const std::vector<Range>& ranges);
  void infer_frames(const float* features, int clips);
  float* tokens_of(int clip, int first) {
    return work_.tokens.data() + static_cast<size_t>(clip) * flat_ + static_cast<size_t>(first) * kTokenWidth;
  }
  void reserve_training(int clips);
  bool takes_half(int clips) const { return clips == 1 && half_kernel1_.size() > 0; }
  void keep_half_kernel();
  void dense_forward(int clips);
  StepResult losses(const Batch& batch);
  void d_dense2(int clips);
  StepResult pass(const Batch& batch, const AdamStep* step, float* gradients);
  void backward(const Batch& batch, const AdamStep* step, float* d_kernel1);
  ClipDropout dropout_of(const Batch& batch, int clip) const;

  float* dense1_kernel() { return values.data() + kTrunkParameters; }
  float* dense1_bias() { return dense1_kernel() + kernel1_floats_; }
  float* dense2_kernel() { return dense1_bias() + kHidden; }
  float* dense2_bias() { return dense2_kernel() + kHidden * classes; }

  const Kernels& kernels_;
  ThreadPool pool_;
  Trunk trunk_;
  const double rate_;
  const std::unique_ptr<FrameCache> cache_;
  const int flat_;  // 16 × tokens
  const size_t kernel1_floats_;
  // dense1's kernel in half precision, [tokens × 16][128] in the trunk's order; empty unless every
  // weight is exactly a half-precision number.
  AlignedArray<uint16_t> half_kernel1_;
  Workspace work_;
  TrainingSpace training_;
};

}  // namespace earshot
