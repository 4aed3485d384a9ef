// The gradients of all three blocks' weights for one clip. The rows of block 1 are computed again, some
// at a time, instead of kept: writing and reading their 9 MB would take longer than computing them,
// which is 14 % of the arithmetic.
#pragma once

#include "sparse_gradient.h"
#include "trunk_rows.h"

namespace earshot::EARSHOT_ISA {

constexpr int kTokensAtOnce = 24;

struct BackwardScratch {
  Rows2Scratch rows2;
  alignas(64) uint64_t winners1[kBuffer1Rows];
  alignas(64) ActiveOutputs<kRows2AtOnce, kWidth2> active2;
  alignas(64) ActiveOutputs<kTokensAtOnce, kWidth3> active3;
  alignas(64) float d_rows1[kNewRows1 * kWidth1];
  alignas(64) float carry2[kKeptRows1 * kWidth1];
  alignas(64) float carry3[kWidth2];
  // Gradients of the kernels as [out][tap × in], of the first one as [tap][out]; and of the biases.
  alignas(64) float kernel3[kernel_floats(kTrunkBlocks[2])], bias3[kWidth3];
  alignas(64) float kernel2[kernel_floats(kTrunkBlocks[1])], bias2[kWidth2];
  alignas(64) float kernel1[kernel_floats(kTrunkBlocks[0])], bias1[kWidth1];
};

// Adds kNewRows1 rows of block 1 to the gradient of its kernel [tap][out].
// @param window samples, from the receptive field of the first row on
EARSHOT_INLINE void add_kernel1_gradient(const float* rows1, const uint64_t* winners, const float* d_rows1, float kept,
                                         const float* window, float* kernel, float* bias) {
  constexpr int kTaps = kTrunkBlocks[0].taps;
  constexpr int kGroup = kRegisters == 32 && kLanes * 2 <= kWidth1 ? 2 : 1;
  for (int group = 0; group < kWidth1; group += kGroup * kLanes) {
    Vec sums[kTaps][kGroup], bias_sums[kGroup];
#pragma GCC unroll 2
    for (int v = 0; v < kGroup; v++) {
      bias_sums[v] = load(bias + group + v * kLanes);
#pragma GCC unroll 8
      for (int t = 0; t < kTaps; t++) sums[t][v] = load(kernel + t * kWidth1 + group + v * kLanes);
    }
#pragma GCC unroll 1
    for (int row = 0; row < kNewRows1; row++) {
      Vec first[kGroup], second[kGroup];
#pragma GCC unroll 2
      for (int v = 0; v < kGroup; v++) {
        const int at = row * kWidth1 + group + v * kLanes;
        const Vec gradient = select(load(rows1 + at) > 0, load(d_rows1 + at) * kept, Vec{});
        const IntVec second_won = from_bits(static_cast<uint32_t>(winners[row] >> (group + v * kLanes)));
        first[v] = select(second_won, Vec{}, gradient);
        second[v] = select(second_won, gradient, Vec{});
        bias_sums[v] += gradient;
      }
#pragma GCC unroll 16
      for (int t = 0; t < kTaps; t++) {
        const Vec x = splat(window[4 * row + t]), later = splat(window[4 * row + t + 2]);
#pragma GCC unroll 2
        for (int v = 0; v < kGroup; v++) sums[t][v] = fma(second[v], later, fma(first[v], x, sums[t][v]));
      }
    }
#pragma GCC unroll 2
    for (int v = 0; v < kGroup; v++) {
      store(bias + group + v * kLanes, bias_sums[v]);
#pragma GCC unroll 8
      for (int t = 0; t < kTaps; t++) store(kernel + t * kWidth1 + group + v * kLanes, sums[t][v]);
    }
  }
}

// Transposes [out][depth] into [depth][out].
EARSHOT_INLINE void transpose_kernel(const float* from, int out, int depth, float* to) {
  for (int o = 0; o < out; o++) {
    for (int k = 0; k < depth; k++) to[k * out + o] = from[o * depth + k];
  }
}

EARSHOT_INLINE float* put(float* to, const float* from, int count) {
  memcpy(to, from, sizeof(float) * static_cast<size_t>(count));
  return to + count;
}

// Backward pass of block 3: computes the gradients of block 2's rows from those of the tokens.
EARSHOT_INLINE void backward_block3(const Clip& clip, const TrunkTapeView& tape, const float* d_tokens, float kept,
                                    float* d_rows2, BackwardScratch& scratch) {
  constexpr TrunkBlock block = kTrunkBlocks[2];
  for (int token = 0; 4 * token - 2 < clip.shape.rows2; token += kTokensAtOnce) {
    float gradients[kTokensAtOnce * kWidth3] = {}, outputs[kTokensAtOnce * kWidth3] = {};
    uint64_t winners[kTokensAtOnce] = {};
    const int rest = clip.shape.tokens - token;
    const int count = rest < kTokensAtOnce ? (rest < 0 ? 0 : rest) : kTokensAtOnce;
    put(gradients, d_tokens + static_cast<long>(token) * kWidth3, count * kWidth3);
    put(outputs, tape.tokens + static_cast<long>(token) * kWidth3, count * kWidth3);
    memcpy(winners, tape.winners3 + token, sizeof(uint64_t) * static_cast<size_t>(count));
    find_active(outputs, gradients, winners, kept, scratch.active3, scratch.bias3);
    const long field = 4L * token - 2;
    add_kernel_gradient<block.taps, block.in, block.out>(tape.rows2 + field * kWidth2, scratch.active3, scratch.kernel3);
    input_gradient<block.taps, block.in, block.out>(scratch.active3, clip.packed + kPackedTransposed3, scratch.carry3,
                                                    d_rows2 + field * kWidth2);
  }
}

// Backward pass of blocks 2 and 1, from the gradients of block 2's rows.
EARSHOT_INLINE void backward_blocks21(const Clip& clip, const TrunkTapeView& tape, const float* d_rows2, float kept,
                                      BackwardScratch& scratch) {
  constexpr TrunkBlock block = kTrunkBlocks[1];
  float* rows1 = scratch.rows2.rows1;
  float* window = scratch.rows2.window;
  float* fresh = rows1 + kKeptRows1 * kWidth1;
  uint64_t* fresh_winners = scratch.winners1 + kKeptRows1;
  make_rows1(clip, -2, kKeptRows1, fresh, fresh_winners, window);
  for (int row = 0; 4 * row - 2 < clip.shape.rows1; row += kRows2AtOnce) {
    // The first kKeptRows1 rows are the last ones of the previous iteration (at first, those computed
    // above).
    const int last = row == 0 ? 0 : kNewRows1 - kKeptRows1;
    memcpy(rows1, fresh + last * kWidth1, sizeof(float) * kKeptRows1 * kWidth1);
    memcpy(scratch.winners1, fresh_winners + last, sizeof(uint64_t) * kKeptRows1);
    make_rows1(clip, 4 * row + 1, kNewRows1, fresh, fresh_winners, window);

    float outputs[kRows2AtOnce * kWidth2] = {};
    uint64_t winners[kRows2AtOnce] = {};
    const int rest = clip.shape.rows2 - row;
    const int count = rest < kRows2AtOnce ? (rest < 0 ? 0 : rest) : kRows2AtOnce;
    put(outputs, tape.rows2 + static_cast<long>(row) * kWidth2, count * kWidth2);
    memcpy(winners, tape.winners2 + row, sizeof(uint64_t) * static_cast<size_t>(count));
    find_active(outputs, d_rows2 + static_cast<long>(row) * kWidth2, winners, kept, scratch.active2, scratch.bias2);
    add_kernel_gradient<block.taps, block.in, block.out>(rows1, scratch.active2, scratch.kernel2);
    input_gradient<block.taps, block.in, block.out>(scratch.active2, clip.packed + kPackedTransposed2, scratch.carry2,
                                                    scratch.d_rows1);
    copy_samples(clip, 4 * (4 * row - 2) - 2, window);
    add_kernel1_gradient(rows1, scratch.winners1, scratch.d_rows1, kept, window, scratch.kernel1, scratch.bias1);
  }
}

EARSHOT_INLINE void backward_clip(const Clip& clip, const TrunkTapeView& tape, const float* d_tokens, float* d_rows2,
                                  float* gradients, BackwardScratch& scratch) {
  memset(scratch.carry2, 0, sizeof scratch.carry2);
  memset(scratch.carry3, 0, sizeof scratch.carry3);
  memset(scratch.kernel1, 0, sizeof scratch.kernel1);
  memset(scratch.kernel2, 0, sizeof scratch.kernel2);
  memset(scratch.kernel3, 0, sizeof scratch.kernel3);
  memset(scratch.bias1, 0, sizeof scratch.bias1);
  memset(scratch.bias2, 0, sizeof scratch.bias2);
  memset(scratch.bias3, 0, sizeof scratch.bias3);
  const double rate = clip.dropout == nullptr ? 0 : clip.dropout->rate;
  const float kept = dropout_rate(rate).kept;
  backward_block3(clip, tape, d_tokens, kept, d_rows2, scratch);
  backward_blocks21(clip, tape, d_rows2, kept, scratch);

  float* to = put(gradients, scratch.kernel1, kernel_floats(kTrunkBlocks[0]));
  to = put(to, scratch.bias1, kWidth1);
  transpose_kernel(scratch.kernel2, kWidth2, kTrunkBlocks[1].taps * kWidth1, to);
  to = put(to + kernel_floats(kTrunkBlocks[1]), scratch.bias2, kWidth2);
  transpose_kernel(scratch.kernel3, kWidth3, kTrunkBlocks[2].taps * kWidth2, to);
  put(to + kernel_floats(kTrunkBlocks[2]), scratch.bias3, kWidth3);
}

}  // namespace earshot::EARSHOT_ISA
