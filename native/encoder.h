// The transformer's encoder and head: a clip's tokens → logits, and back to the gradients of weights and tokens.
#pragma once

#include <vector>

#include "aligned.h"
#include "kernels.h"

namespace earshot {

// What one clip's training pass keeps for its backward pass: 1.2 MB at 2,251 tokens.
class EncoderTape {
 public:
  explicit EncoderTape(const EncoderShape& shape);
  EncoderTapeView view() const;

 private:
  mutable AlignedArray<float> inputs_, attended_, log_sums_, shares_, row_;
};

// One clip's inference in parts, so that several threads share it: all tiles of a stage before any of the next.
class EncoderPass {
 public:
  explicit EncoderPass(const EncoderShape& shape);

 private:
  friend class Encoder;
  AlignedArray<float> inputs_[2], pairs_[2], ranges_[2], scratch_;
};

// Calls for different clips may run at the same time, each with a `worker` < `workers` of its own.
class Encoder {
 public:
  // Stages of inference: embedding, then the attention blocks but the last.
  static constexpr int kStages = kAttentionBlocks;

  Encoder(const Kernels& kernels, const EncoderShape& shape, int workers);

  const EncoderShape& shape() const { return shape_; }
  size_t parameters() const { return EncoderLayout::of(shape_).size; }
  int tiles() const;

  // @param weights `parameters()` of them in EncoderLayout's order; they stay the caller's
  void infer_tile(const float* weights, int stage, int tile, const float* trunk_tokens, EncoderPass& pass) const;
  // After all stages. @param logits [classes], written
  void classify(const float* weights, EncoderPass& pass, float* logits) const;

  // A clip with dropout. @param logits [classes], written
  void forward(const float* weights, const float* trunk_tokens, const EncoderDropout& dropout, EncoderTape& tape,
               float* logits, int worker);
  // @param gradients `parameters()` of them, overwritten, as d_trunk_tokens is
  void backward(const float* weights, const EncoderDropout& dropout, const EncoderTape& tape, const float* d_logits,
                float* d_trunk_tokens, float* gradients, int worker);

 private:
  struct Workplace {
    AlignedArray<float> pairs, ranges, scratch;  // only once a training pass has run
  };

  const EncoderKernels& kernels_;
  EncoderShape shape_;
  AlignedArray<float> positions_;  // a plane
  std::vector<Workplace> workplaces_;
};

}  // namespace earshot
