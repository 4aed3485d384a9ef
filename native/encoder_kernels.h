// The transformer's encoder (report, "Architecture 2"), one clip at a time: what an instruction set offers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trunk_kernels.h"

namespace earshot {

constexpr int kAttentionBlocks = 4;
// Lanes of the widest instruction set: what rows of tokens are padded to.
constexpr int kMaxLanes = 16;

// A clip as the encoder sees it: the class token, then the trunk's.
struct EncoderShape {
  int tokens;
  int padded;  // tokens, rounded up: tokens lie side by side, channel after channel ("planar": [16][padded])
  int heads;   // 1, 2 or 4
  int hidden;
  int classes;

  static constexpr EncoderShape of(int trunk_tokens, int heads, int hidden, int classes) {
    const int tokens = trunk_tokens + 1;
    return {tokens, (tokens + kMaxLanes - 1) / kMaxLanes * kMaxLanes, heads, hidden, classes};
  }
  constexpr size_t plane() const { return static_cast<size_t>(kTokenWidth) * static_cast<size_t>(padded); }
};

// Where an attention block's parameters lie behind its first: kernels are [in][out].
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

// Where the encoder's parameters lie, in the order of shared/compute/network/transformer.ts, the trunk's left out.
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

// Which activations a clip's training pass drops: shared/compute/network/dropout.ts, as a function of (seed, index).
struct EncoderDropout {
  double rate;                           // 0: none
  uint32_t slot;                         // the clip's place in the slice whose mask it is
  uint32_t seeds[kAttentionBlocks + 1];  // attention1 … attention4, feedForward
};

// Keys and values of a block, ready to be asked.
struct KeysView {
  float* pairs;   // [heads][padded][2 · head width]: a token's key, then its value
  float* ranges;  // [padded / lanes][3][16]: least and greatest key a channel, and a figure that is NaN if any key is
};

// What a clip's training pass keeps for its backward pass.
struct EncoderTapeView {
  float* inputs;    // [4] planes: what each attention block was given
  float* attended;  // [3] planes: softmax(qkᵀ)v before the output projection
  float* log_sums;  // [3][4][padded]: base-2 logarithm of each softmax's denominator, a head
  float* shares;    // [4][padded]: the last block's softmax for the class token, a head
  float* row;       // row_floats(shape): the class token on its way to the logits
};
constexpr size_t encoder_row_floats(const EncoderShape& shape) {
  return 32 * kTokenWidth + static_cast<size_t>(shape.hidden);
}

struct EncoderKernels {
  // Tokens that `attend` computes at a time.
  int lanes;
  // Floats of scratch memory, 64-byte aligned.
  size_t (*scratch_floats)(const EncoderShape&);
  size_t (*backward_scratch_floats)(const EncoderShape&);

  // Inference in parts, all of a stage before any of the next; `tile` is `lanes` tokens.
  // Stage 0: class token and positions [16][padded] added to the trunk's tokens [tokens − 1][16]; keys of block 0.
  void (*embed)(const EncoderShape&, const float* weights, const float* positions, const float* trunk_tokens, int tile,
                float* input, const KeysView& keys);
  // Stages 1 to 3: attention block 0, 1, 2 from `input` to `output` (planes), and the keys of the next but the last.
  void (*attend)(const EncoderShape&, const float* weights, int block, int tile, const float* input,
                 const KeysView& keys, float* output, const KeysView& next_keys);
  // Stage 4: the last attention block for the class token, feed-forward and head.
  void (*classify)(const EncoderShape&, const float* weights, const float* input, float* logits, float* scratch);

  // A whole clip with dropout, onto the tape.
  void (*forward)(const EncoderShape&, const float* weights, const float* positions, const float* trunk_tokens,
                  const EncoderDropout&, const EncoderTapeView&, const KeysView&, float* logits);
  // Gradients of all weights and of the trunk's tokens from those of the logits; all are written, not added to.
  void (*backward)(const EncoderShape&, const float* weights, const EncoderDropout&, const EncoderTapeView&,
                   const float* d_logits, float* d_trunk_tokens, float* gradients, float* scratch);
};

}  // namespace earshot
