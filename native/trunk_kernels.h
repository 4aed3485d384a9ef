// The three convolution blocks (report, "Architecture 1"), one clip at a time: what an instruction set offers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace earshot {

// Every block: convolution with stride 2 and padding 2, ReLU, max-pool 2, dropout.
struct TrunkBlock {
  int taps, in, out;
};
constexpr TrunkBlock kTrunkBlocks[3] = {{7, 1, 64}, {5, 64, 32}, {3, 32, 16}};
constexpr int kTokenWidth = kTrunkBlocks[2].out;

constexpr int kernel_floats(const TrunkBlock& block) { return block.taps * block.in * block.out; }

// Weights and gradients of the trunk lie in one array: kernel [tap][in][out] and bias, block after block.
constexpr int kTrunkParameters = kernel_floats(kTrunkBlocks[0]) + kTrunkBlocks[0].out + kernel_floats(kTrunkBlocks[1]) +
                                 kTrunkBlocks[1].out + kernel_floats(kTrunkBlocks[2]) + kTrunkBlocks[2].out;

// Rows that the blocks make of a clip.
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

// Which activations a clip's training pass drops: shared/compute/network/dropout.ts, as a function of (seed, index).
struct ClipDropout {
  double rate;        // 0: none
  uint32_t slot;      // the clip's place in the slice whose mask it is; a block's mask starts at slot × its elements
  uint32_t seeds[3];  // one a block
};

// What a training pass keeps for its backward pass. Rows carry slack: see TrunkTape in trunk.h.
struct TrunkTapeView {
  float* rows2;         // [rows2][32] after dropout; two zero rows before, slack after
  uint64_t* winners2;   // a bit a channel: the pool took the second of its two rows
  float* tokens;        // [tokens][16] after dropout; slack after
  uint64_t* winners3;
};

// Rows that a kernel may write past the last one.
constexpr int kTrunkSlackRows = 64;
// Tokens that `infer` makes in one go at most.
constexpr int kTrunkMaxTokens = 75;

struct TrunkKernels {
  // Floats of weights laid out for these kernels, made anew by `pack` when the weights change.
  size_t packed_floats;
  void (*pack)(const float* weights, float* packed);
  // Floats of scratch memory, 64-byte aligned, that each call below needs for itself.
  size_t scratch_floats;
  // Tokens [first, last) of a clip, at most kTrunkMaxTokens: `tokens` receives their rows.
  void (*infer)(const TrunkShape&, const float* packed, const float* samples, int first, int last, float* tokens,
                float* scratch);
  // A whole clip with dropout, onto the tape.
  void (*forward)(const TrunkShape&, const float* packed, const float* samples, const ClipDropout&,
                  const TrunkTapeView&, float* scratch);
  // Gradients of all weights from those of the tokens [tokens][16]. `d_rows2` is memory like tape.rows2, overwritten.
  void (*backward)(const TrunkShape&, const float* packed, const float* samples, const ClipDropout&,
                   const TrunkTapeView&, const float* d_tokens, float* d_rows2, float* gradients, float* scratch);
};

}  // namespace earshot
