// The report's Conv1DNet ("Architecture 1"): the trunk, flattened channel by channel, linear → 128, ReLU, linear → classes.
#pragma once

#include <memory>

#include "frame_cache.h"
#include "network.h"
#include "thread_pool.h"
#include "trunk.h"

namespace earshot {

class Cnn : public Network {
 public:
  // @param rate dropout's, in [0, 1)
  // @param cache of the frames that make up a clip; null: every clip is computed whole
  Cnn(const Kernels& kernels, int threads, int samples, int classes, double rate, std::unique_ptr<FrameCache> cache);

  void weights_changed() override;
  void infer(const float* features, int clips, int length, float* logits) override;
  StepResult step(const Batch& batch, double learning_rate, double step) override;
  StepResult gradients(const Batch& batch, float* gradients) override;

 private:
  // Memory of a batch; kept, and grown when a larger one comes.
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
    AlignedArray<float> small;        // gradients of the trunk, dense1's bias and dense2, laid out as the values but for dense1's kernel
  };

  // Tokens [first, last) of a clip that are to be computed.
  struct Range {
    int clip, first, last;
  };
  // A frame of a clip in the batch.
  struct FrameWork {
    uint64_t hash = 0;
    const FrameCache::Frame* known = nullptr;
    uint64_t id = 0;     // in the cache; 0: not there
    bool first = false;  // its first token is known, too
    int same_as = -1;    // an earlier frame of the batch that this one equals
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
  // dense1's kernel in half precision, token by token, [16 × tokens][128]; empty where that would change a weight.
  AlignedArray<uint16_t> half_kernel1_;
  Workspace work_;
  TrainingSpace training_;
};

}  // namespace earshot
