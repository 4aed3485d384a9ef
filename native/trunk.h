// The convolution trunk of both architectures: computes tokens from a clip's samples, and the gradients
// of its weights.
#pragma once

#include "aligned.h"
#include "kernels.h"

namespace earshot {

// Values of one clip's forward pass that its backward pass needs: 1.4 MB at 144,000 samples.
class TrunkTape {
 public:
  explicit TrunkTape(const TrunkShape& shape);
  const float* tokens() const { return tokens_.data(); }  // [tokens][16]
  TrunkTapeView view() const;

 private:
  mutable AlignedArray<float> rows2_, tokens_;
  mutable AlignedArray<uint64_t> winners2_, winners3_;
};

// Calls for different clips may run concurrently if each has a different `worker` < `workers`.
class Trunk {
 public:
  Trunk(const Kernels& kernels, int samples, int workers);

  const TrunkShape& shape() const { return shape_; }

  // Copies the weights. @param weights kTrunkParameters values
  void set_weights(const float* weights);

  // Computes the tokens [first, last) of a clip, at most kTrunkMaxTokens, into `tokens` [last −
  // first][16].
  void infer(const float* samples, int first, int last, float* tokens, int worker);

  // Forward pass of a clip in training; writes the tape.
  void forward(const float* samples, const ClipDropout& dropout, TrunkTape& tape, int worker);

  // Backward pass of a clip.
  // @param d_tokens [tokens][16], the gradient of tape.tokens()
  // @param gradients kTrunkParameters values, overwritten
  void backward(const float* samples, const ClipDropout& dropout, const TrunkTape& tape, const float* d_tokens,
                float* gradients, int worker);

 private:
  struct Workplace {
    AlignedArray<float> scratch;
    AlignedArray<float> d_rows2;  // allocated by the first backward pass
  };

  const TrunkKernels& kernels_;
  TrunkShape shape_;
  AlignedArray<float> packed_;
  std::vector<Workplace> workplaces_;
};

}  // namespace earshot
