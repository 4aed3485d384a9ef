// Kernels for the three convolution blocks (report, "Architecture 1"), as a table for each instruction
// set. They process one clip at a time. Packed weights and scratch memory are aligned to 64 bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace earshot {

// A block is a convolution with stride 2 and padding 2, ReLU, max-pooling of 2, and dropout.
struct TrunkBlock {
  int taps, in, out;
};
constexpr TrunkBlock kTrunkBlocks[3] = {{7, 1, 64}, {5, 64, 32}, {3, 32, 16}};
constexpr int kTokenWidth = kTrunkBlocks[2].out;

constexpr int kernel_floats(const TrunkBlock& block) { return block.taps * block.in * block.out; }

// The trunk's weights are one array, as are their gradients: block after block, kernel [tap][in][out],
// then bias.
constexpr int kTrunkParameters = kernel_floats(kTrunkBlocks[0]) + kTrunkBlocks[0].out + kernel_floats(kTrunkBlocks[1]) +
                                 kTrunkBlocks[1].out + kernel_floats(kTrunkBlocks[2]) + kTrunkBlocks[2].out;

// Number of rows that each block computes from a clip.
struct TrunkShape {
  int samples;
  int rows1;   // 64 wide
  int rows2;   // 32 wide
  int tokens;  // 16 wide

  // 144,000 samples → 35,999, 9,000 and 2,250 rows. Fewer than 32 samples make no token.
  static constexpr TrunkShape of(int samples) {
    const int rows1 = pooled(samples, 0);
    const int rows2 = pooled(rows1, 1);
    return {samples, rows1, rows2, pooled(rows2, 2)};
  }

 private:
  static constexpr int pooled(int length, int block) {
    const int convolved = (length + 4 - kTrunkBlocks[block].taps) / 2 + 1;
    return length + 4 < kTrunkBlocks[block].taps ? 0 : convolved / 2;
  }
};

// Dropout of a clip's training pass. Masks are functions of seed and index, as in
// shared/compute/network/dropout.ts.
struct ClipDropout {
  double rate;        // 0: no dropout
  uint32_t slot;      // index of the clip in its slice; its mask of a block starts at slot × elements
  uint32_t seeds[3];  // one for each block
};

// Values of a forward pass that the backward pass reads. Kernels may write kTrunkSlackRows rows too
// many.
struct TrunkTapeView {
  float* rows2;         // [rows2][32] after dropout; two zero rows before, slack after
  uint64_t* winners2;   // bit c is set where the pool of channel c took the second of its two rows
  float* tokens;        // [tokens][16] after dropout; slack after
  uint64_t* winners3;
};

// Rows that a kernel may write past the last one.
constexpr int kTrunkSlackRows = 64;
// Largest number of tokens in a call of `infer`.
constexpr int kTrunkMaxTokens = 75;

struct TrunkKernels {
  // Floats of the weights as these kernels read them; `pack` computes them from the weights.
  size_t packed_floats;
  void (*pack)(const float* weights, float* packed);
  // Floats of scratch memory that each of the calls below needs.
  size_t scratch_floats;
  // Computes the tokens [first, last) of a clip, at most kTrunkMaxTokens, into `tokens` [last −
  // first][16].
  void (*infer)(const TrunkShape&, const float* packed, const float* samples, int first, int last, float* tokens,
                float* scratch);
  // Forward pass of a clip in training; writes the tape.
  void (*forward)(const TrunkShape&, const float* packed, const float* samples, const ClipDropout&,
                  const TrunkTapeView&, float* scratch);
  // Backward pass: computes the gradients of all weights from those of the tokens [tokens][16].
  // @param d_rows2 memory of the size of tape.rows2, overwritten
  void (*backward)(const TrunkShape&, const float* packed, const float* samples, const ClipDropout&,
                   const TrunkTapeView&, const float* d_tokens, float* d_rows2, float* gradients, float* scratch);
};

}  // namespace earshot
