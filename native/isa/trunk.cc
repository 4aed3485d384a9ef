#include "trunk_backward.h"
#include "trunk_rows.h"

namespace earshot::EARSHOT_ISA {

extern const int lanes;
const int lanes = kLanes;

namespace {

constexpr int kTokenRoom = (kTrunkMaxTokens + kRowStep - 1) / kRowStep * kRowStep;

struct InferScratch {
  Rows2Scratch rows2;
  alignas(64) float buffer2[(4 * kTokenRoom + 2 + kRowStep) * kWidth2];
  alignas(64) float tokens[kTokenRoom * kWidth3];
};

void pack(const float* weights, float* packed) {
  memcpy(packed, weights, sizeof(float) * kTrunkParameters);
  transpose_kernel(packed + kPackedKernel2, kTrunkBlocks[1].taps * kWidth1, kWidth2, packed + kPackedTransposed2);
  transpose_kernel(packed + kPackedKernel3, kTrunkBlocks[2].taps * kWidth2, kWidth3, packed + kPackedTransposed3);
}

void convolve3(const float* packed, const float* field, int tokens, float* output, uint64_t* winners) {
  constexpr TrunkBlock block = kTrunkBlocks[2];
  convolve_pool<block.taps, block.in, block.out>(field, packed + kPackedKernel3, packed + kPackedBias3, tokens, output,
                                                 winners);
}

void infer(const TrunkShape& shape, const float* packed, const float* samples, int first, int last, float* tokens,
           float* memory) {
  auto& scratch = *reinterpret_cast<InferScratch*>(memory);
  const Clip clip{shape, packed, samples, nullptr};
  // Rows 4 first − 2 … 4 last − 2 of block 2 are needed; before row 0 there are two rows of zeros.
  const int start = first == 0 ? 0 : 4 * first - 2;
  clear_rows(scratch.buffer2, 2, kWidth2);
  make_rows2(clip, start, 4 * last - 1, scratch.buffer2 + (first == 0 ? 2 * kWidth2 : 0), nullptr, scratch.rows2);
  convolve3(packed, scratch.buffer2, last - first, scratch.tokens, nullptr);
  memcpy(tokens, scratch.tokens, sizeof(float) * static_cast<size_t>(last - first) * kWidth3);
}

void forward(const TrunkShape& shape, const float* packed, const float* samples, const ClipDropout& dropout,
             const TrunkTapeView& tape, float* memory) {
  const Clip clip{shape, packed, samples, &dropout};
  make_rows2(clip, 0, shape.rows2, tape.rows2, tape.winners2, *reinterpret_cast<Rows2Scratch*>(memory));
  convolve3(packed, tape.rows2 - 2 * kWidth2, shape.tokens, tape.tokens, tape.winners3);
  const int rounded = (shape.tokens + kRowStep - 1) / kRowStep * kRowStep;
  drop_rows(tape.tokens, 0, rounded, kWidth3, 2, shape.tokens, clip);
}

void backward(const TrunkShape& shape, const float* packed, const float* samples, const ClipDropout& dropout,
              const TrunkTapeView& tape, const float* d_tokens, float* d_rows2, float* gradients, float* memory) {
  const Clip clip{shape, packed, samples, &dropout};
  backward_clip(clip, tape, d_tokens, d_rows2, gradients, *reinterpret_cast<BackwardScratch*>(memory));
}

constexpr size_t larger_of(size_t a, size_t b) { return a > b ? a : b; }

}  // namespace

extern const TrunkKernels trunk_kernels;
const TrunkKernels trunk_kernels = {
    kPackedFloats, pack, larger_of(sizeof(InferScratch), sizeof(BackwardScratch)) / sizeof(float) + 1, infer, forward, backward,
};

}  // namespace earshot::EARSHOT_ISA
