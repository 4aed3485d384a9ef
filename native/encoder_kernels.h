// Kernels for the transformer's encoder (report, "Architecture 2"), as a table for each instruction set.
// They process one clip at a time. Planes and scratch memory are aligned to 64 bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trunk_kernels.h"

namespace earshot {

constexpr int kAttentionBlocks = 4;
// Lanes of the widest instruction set; the number of tokens is padded to a multiple of it.
constexpr int kMaxLanes = 16;

// Sizes of the encoder. A clip's tokens are the class token and the trunk's tokens behind it.
struct EncoderShape {
  int tokens;
  int padded;  // tokens, rounded up; a "plane" is [16][padded], channel after channel
  int heads;   // 1, 2 or 4
  int hidden;
  int classes;

  static constexpr EncoderShape of(int trunk_tokens, int heads, int hidden, int classes) {
    const int tokens = trunk_tokens + 1;
    return {tokens, (tokens + kMaxLanes - 1) / kMaxLanes * kMaxLanes, heads, hidden, classes};
  }
  constexpr size_t plane() const { return static_cast<size_t>(kTokenWidth) * static_cast<size_t>(padded); }
};

// Offsets of an attention block's parameters from its first one. Kernels are [in][out].
struct AttentionLayout {
  static constexpr int matrix = kTokenWidth * kTokenWidth;
  static constexpr int projection = matrix + kTokenWidth;
  static constexpr int query = 0;
  static constexpr int query_bias = query + matrix;
  static constexpr int key = query + projection;
  static constexpr int key_bias = key + matrix;
  static constexpr int value = key + projection;
  static constexpr int value_bias = value + matrix;
  static constexpr int out = value + projection;
  static constexpr int out_bias = out + matrix;
  static constexpr int norm_scale = out + projection;
  static constexpr int norm_shift = norm_scale + kTokenWidth;
  static constexpr int size = norm_shift + kTokenWidth;
};

// Offsets of the encoder's parameters, in the order of shared/compute/network/transformer.ts but without
// the trunk's.
struct EncoderLayout {
  static constexpr size_t class_token = 0;
  static constexpr size_t blocks = kTokenWidth;
  static constexpr size_t feed_in = blocks + static_cast<size_t>(kAttentionBlocks) * AttentionLayout::size;
  size_t feed_in_bias, feed_out, feed_out_bias, feed_scale, feed_shift, head, head_bias, size;

  static constexpr EncoderLayout of(const EncoderShape& shape) {
    const size_t hidden = static_cast<size_t>(shape.hidden), classes = static_cast<size_t>(shape.classes);
    EncoderLayout at{};
    at.feed_in_bias = feed_in + kTokenWidth * hidden;
    at.feed_out = at.feed_in_bias + hidden;
    at.feed_out_bias = at.feed_out + hidden * kTokenWidth;
    at.feed_scale = at.feed_out_bias + kTokenWidth;
    at.feed_shift = at.feed_scale + kTokenWidth;
    at.head = at.feed_shift + kTokenWidth;
    at.head_bias = at.head + kTokenWidth * classes;
    at.size = at.head_bias + classes;
    return at;
  }
  static constexpr size_t block(int index) {
    return blocks + static_cast<size_t>(index) * static_cast<size_t>(AttentionLayout::size);
  }
};

// Dropout of a clip's training pass. Masks are functions of seed and index, as in
// shared/compute/network/dropout.ts.
struct EncoderDropout {
  double rate;                           // 0: no dropout
  uint32_t slot;                         // index of the clip in its slice of the batch
  uint32_t seeds[kAttentionBlocks + 1];  // attention1 … attention4, feedForward
};

// Keys and values of an attention block, laid out for `attend`.
struct KeysView {
  float* pairs;   // [heads][padded][2 · head width]: each token's key, then its value
  float* ranges;  // [padded / lanes][3][16]: by channel the least key, the greatest key, and 0 or NaN:
                  // NaN if any key is not finite
};

// Values of a clip's forward pass that its backward pass reads.
struct EncoderTapeView {
  float* inputs;    // [4] planes: the input of each attention block
  float* attended;  // [3] planes: softmax(qkᵀ)v before the output projection
  float* log_sums;  // [3][4][padded]: by block and head, base-2 logarithm of each softmax's denominator
  float* shares;    // [4][padded]: by head, the last block's softmax for the class token
  float* row;       // encoder_row_floats(shape): the class token's activations (isa/class_row.h)
};
constexpr size_t encoder_row_floats(const EncoderShape& shape) {
  return 32 * kTokenWidth + static_cast<size_t>(shape.hidden);
}

struct EncoderKernels {
  // Tokens in a tile, which `attend` computes at a time.
  int lanes;
  // Floats of scratch memory that `classify` and `backward` need.
  size_t (*scratch_floats)(const EncoderShape&);
  size_t (*backward_scratch_floats)(const EncoderShape&);

  // The next three compute inference in stages and tiles of `lanes` tokens. All tiles of a stage must be
  // done before the next stage.
  // Stage 0 puts the class token before the trunk's tokens [tokens − 1][16], adds `positions`
  // [16][padded], and computes the keys and values of block 0. `input` is the plane that it writes.
  void (*embed)(const EncoderShape&, const float* weights, const float* positions, const float* trunk_tokens, int tile,
                float* input, const KeysView& keys);
  // Stages 1 to 3 compute attention blocks 0 to 2 from the plane `input` to the plane `output`, and the
  // keys and values of the next block unless that is the last.
  void (*attend)(const EncoderShape&, const float* weights, int block, int tile, const float* input,
                 const KeysView& keys, float* output, const KeysView& next_keys);
  // Stage 4 computes the last attention block for the class token, the feed-forward block and the head.
  void (*classify)(const EncoderShape&, const float* weights, const float* input, float* logits, float* scratch);

  // Forward pass of a clip in training; writes the tape and the logits [classes].
  void (*forward)(const EncoderShape&, const float* weights, const float* positions, const float* trunk_tokens,
                  const EncoderDropout&, const EncoderTapeView&, const KeysView&, float* logits);
  // Backward pass of a clip: computes the gradients of all weights and of the trunk's tokens from those
  // of the logits. The outputs are overwritten.
  void (*backward)(const EncoderShape&, const float* weights, const EncoderDropout&, const EncoderTapeView&,
                   const float* d_logits, float* d_trunk_tokens, float* gradients, float* scratch);
};

}  // namespace earshot
