// The convolution trunk of both architectures: a clip's samples → tokens, and back to the gradients of its weights.
#pragma once

#include "aligned.h"
#include "kernels.h"

namespace earshot {

// What one clip's training pass keeps for its backward pass: 1.4 MB at 144,000 samples.
class TrunkTape {
 public:
  explicit TrunkTape(const TrunkShape& shape);
  const float* tokens() const { return tokens_.data(); }  // [tokens][16]
  TrunkTapeView view() const;

 private:
  mutable AlignedArray<float> rows2_, tokens_;
  mutable AlignedArray<uint64_t> winners2_, winners3_;
};

// Calls for different clips may run at the same time, each with a `worker` < `workers` of its own.
class Trunk {
 public:
  Trunk(const Kernels& kernels, int samples, int workers);

  const TrunkShape& shape() const { return shape_; }

  // @param weights kTrunkParameters of them, copied
  void set_weights(const float* weights);

  // Tokens [first, last) of a clip, at most kTrunkMaxTokens of them, into `tokens` [last − first][16].
  void infer(const float* samples, int first, int last, float* tokens, int worker);

  // A clip with dropout.
  void forward(const float* samples, const ClipDropout& dropout, TrunkTape& tape, int worker);

  // @param d_tokens [tokens][16], the gradients of tape.tokens()
  // @param gradients kTrunkParameters of them, overwritten
  void backward(const float* samples, const ClipDropout& dropout, const TrunkTape& tape, const float* d_tokens,
                float* gradients, int worker);

 private:
  struct Workplace {
    AlignedArray<float> scratch;
    AlignedArray<float> d_rows2;  // only once a backward pass has run
  };

  const TrunkKernels& kernels_;
  TrunkShape shape_;
  AlignedArray<float> packed_;
  std::vector<Workplace> workplaces_;
};

}  // namespace earshot
