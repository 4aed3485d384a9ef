// The transformer's encoder and head: computes logits from a clip's tokens, and the gradients of the
// weights and tokens.
#pragma once

#include <vector>

#include "aligned.h"
#include "kernels.h"

namespace earshot {

// Values of one clip's forward pass that its backward pass needs: 1.2 MB at 2,251 tokens.
class EncoderTape {
 public:
  explicit EncoderTape(const EncoderShape& shape);
  EncoderTapeView view() const;

 private:
  mutable AlignedArray<float> inputs_, attended_, log_sums_, shares_, row_;
};

// State of one clip's inference, which several threads can share: it is cut into stages and these into
// tiles. All tiles of a stage must be done before the next stage begins.
class EncoderPass {
 public:
  explicit EncoderPass(const EncoderShape& shape);

 private:
  friend class Encoder;
  AlignedArray<float> inputs_[2], pairs_[2], ranges_[2], scratch_;
};

// Calls for different clips may run concurrently if each has a different `worker` < `workers`.
class Encoder {
 public:
  // Stages of inference: embedding, then all attention blocks but the last.
  static constexpr int kStages = kAttentionBlocks;

  Encoder(const Kernels& kernels, const EncoderShape& shape, int workers);

  const EncoderShape& shape() const { return shape_; }
  size_t parameters() const { return EncoderLayout::of(shape_).size; }
  int tiles() const;

  // Computes one tile of a stage.
  // @param weights `parameters()` values in EncoderLayout's order
  // @param trunk_tokens [tokens − 1][16], read in stage 0
  void infer_tile(const float* weights, int stage, int tile, const float* trunk_tokens, EncoderPass& pass) const;
  // Computes the last attention block, feed-forward block and head, after all stages.
  // @param logits [classes], overwritten
  void classify(const float* weights, EncoderPass& pass, float* logits) const;

  // Forward pass of a clip in training.
  // @param logits [classes], overwritten
  void forward(const float* weights, const float* trunk_tokens, const EncoderDropout& dropout, EncoderTape& tape,
               float* logits, int worker);
  // Backward pass of a clip. @param gradients `parameters()` values; both outputs are overwritten
  void backward(const float* weights, const EncoderDropout& dropout, const EncoderTape& tape, const float* d_logits,
                float* d_trunk_tokens, float* gradients, int worker);

 private:
  struct Workplace {
    AlignedArray<float> pairs, ranges, scratch;  // allocated by the first training pass
  };

  const EncoderKernels& kernels_;
  EncoderShape shape_;
  AlignedArray<float> positions_;  // position encoding, [16][padded]
  std::vector<Workplace> workplaces_;
};

}  // namespace earshot
