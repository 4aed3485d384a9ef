// The last attention block, the feed-forward block and the head. Only the class token's output is used,
// so the attention has a single query.
//
// The score of a key k = K x is qᵀ(K x) = (Kᵀq)ᵀx, and the attention's output over values V x + b is
// V Σ p x + b. The keys and values of this block are therefore never computed.
#pragma once

#include "exponential.h"
#include "planar.h"

namespace earshot::EARSHOT_ISA {

// The class token's activations, which the backward pass needs.
struct ClassRow {
  float input[kChannels];
  float query[kChannels];
  float asked[4][kChannels];     // by head: Kᵀq / √width
  float gathered[4][kChannels];  // by head: Σ p x
  float attended[kChannels];
  float kept[kChannels];
  float normal[kChannels];
  float output[kChannels];
  float feed_kept[kChannels];
  float feed_normal[kChannels];
  float features[kChannels];
  float inverse, feed_inverse;
};
static_assert(sizeof(ClassRow) <= 32 * kChannels * sizeof(float));

EARSHOT_INLINE ClassRow* class_row(float* memory) { return reinterpret_cast<ClassRow*>(memory); }
// The feed-forward block's hidden units, which follow the ClassRow in memory.
EARSHOT_INLINE float* hidden_units(float* memory) { return memory + 32 * kChannels; }

// Dropout factors of a layer with one row in each clip.
EARSHOT_INLINE void dropout_row(const EncoderDropout* dropout, int place, float* kept) {
  for (int c = 0; c < kChannels; c++) kept[c] = 1;
  if (dropout == nullptr || dropout->rate == 0) return;
  Vec factors[kChannels];
  dropout_rows(*dropout, place, dropout->slot * kChannels, factors);
  for (int c = 0; c < kChannels; c++) kept[c] = factors[c][0];
}

// Layer norm of one row. @return 1 / deviation
EARSHOT_INLINE float normalise_row(const float* row, const float* scale, const float* shift, float* normal,
                                   float* output) {
  float mean = 0, variance = 0;
  for (int c = 0; c < kChannels; c++) mean += row[c] / kChannels;
  for (int c = 0; c < kChannels; c++) variance += (row[c] - mean) * (row[c] - mean) / kChannels;
  const float inverse = 1 / __builtin_sqrtf(variance + kNormEpsilon);
  for (int c = 0; c < kChannels; c++) {
    normal[c] = (row[c] - mean) * inverse;
    output[c] = normal[c] * scale[c] + shift[c];
  }
  return inverse;
}

// out[c] = bias[c] + Σ in[j] kernel[j][c]
EARSHOT_INLINE void dense_row(const float* in, int inputs, const float* kernel, const float* bias, int outputs,
                              float* out) {
  for (int c = 0; c < outputs; c++) out[c] = bias[c];
  for (int j = 0; j < inputs; j++) {
    for (int c = 0; c < outputs; c++) out[c] += in[j] * kernel[j * outputs + c];
  }
}

// Computes the class token's softmax over all tokens for one head.
// @param input plane
// @param shares [padded], overwritten: the probabilities, 0 behind the last token
// @param gathered [16], overwritten: Σ p x
static inline __attribute__((noinline)) void gather(const EncoderShape& shape, const float* asked, const float* input,
                                                    float* shares, float* gathered) {
  constexpr float kLog2E = 1.44269504f;
  const int whole = shape.tokens / kLanes * kLanes;
  const IntVec last = from_bits((1u << (shape.tokens - whole)) - 1);
  Vec greatest = splat(-3.4e38f);
  for (int t = 0; t < shape.tokens; t += kLanes) {
    Vec score{};
    for (int c = 0; c < kChannels; c++) score = fma(load(input + c * shape.padded + t), splat(asked[c] * kLog2E), score);
    if (t == whole) score = select(last, score, splat(-3.4e38f));
    store(shares + t, score);
    greatest = max(greatest, score);
  }
  float highest = greatest[0];
  for (int i = 1; i < kLanes; i++) highest = greatest[i] > highest ? greatest[i] : highest;
  Vec total{}, sums[kChannels] = {};
  for (int t = 0; t < shape.padded; t += kLanes) {
    Vec p{};
    if (t < shape.tokens) {
      p = max(splat(kLeastExponent), load(shares + t) - splat(highest));
      exp2_each<1>(&p);
      if (t == whole) p = (Vec)((IntVec)p & last);
    }
    store(shares + t, p);
    total += p;
    for (int c = 0; c < kChannels; c++) sums[c] = fma(p, load(input + c * shape.padded + t), sums[c]);
  }
  const float inverse = 1 / sum(total);
  for (int c = 0; c < kChannels; c++) gathered[c] = sum(sums[c]) * inverse;
  for (int t = 0; t < shape.padded; t += kLanes) store(shares + t, load(shares + t) * splat(inverse));
}

// Computes the logits from the last block's input plane.
// @param dropout null in inference
// @param shares [4][padded], overwritten
// @param memory encoder_row_floats(shape), overwritten
static inline __attribute__((noinline)) void classify_row(const EncoderShape& shape, const float* weights,
                                                          const EncoderDropout* dropout, const float* input,
                                                          float* shares, float* memory, float* logits) {
  using At = AttentionLayout;
  const EncoderLayout at = EncoderLayout::of(shape);
  ClassRow& row = *class_row(memory);
  const float* block = weights + EncoderLayout::block(kAttentionBlocks - 1);
  const int width = kChannels / shape.heads;
  const float scale = 1 / __builtin_sqrtf(static_cast<float>(width));
  for (int c = 0; c < kChannels; c++) row.input[c] = input[c * shape.padded];
  dense_row(row.input, kChannels, block + At::query, block + At::query_bias, kChannels, row.query);
  for (int head = 0; head < shape.heads; head++) {
    for (int j = 0; j < kChannels; j++) {
      float product = 0;
      for (int c = head * width; c < (head + 1) * width; c++) product += block[At::key + j * kChannels + c] * row.query[c];
      row.asked[head][j] = product * scale;
    }
    gather(shape, row.asked[head], input, shares + head * shape.padded, row.gathered[head]);
    for (int c = head * width; c < (head + 1) * width; c++) {
      float value = block[At::value_bias + c];
      for (int j = 0; j < kChannels; j++) value += block[At::value + j * kChannels + c] * row.gathered[head][j];
      row.attended[c] = value;
    }
  }
  float sum_row[kChannels];
  dense_row(row.attended, kChannels, block + At::out, block + At::out_bias, kChannels, sum_row);
  dropout_row(dropout, kAttentionBlocks - 1, row.kept);
  for (int c = 0; c < kChannels; c++) sum_row[c] = row.input[c] + sum_row[c] * row.kept[c];
  row.inverse = normalise_row(sum_row, block + At::norm_scale, block + At::norm_shift, row.normal, row.output);

  float* hidden = hidden_units(memory);
  dense_row(row.output, kChannels, weights + EncoderLayout::feed_in, weights + at.feed_in_bias, shape.hidden, hidden);
  for (int m = 0; m < shape.hidden; m++) hidden[m] = hidden[m] < 0 ? 0 : hidden[m];
  dense_row(hidden, shape.hidden, weights + at.feed_out, weights + at.feed_out_bias, kChannels, sum_row);
  dropout_row(dropout, kAttentionBlocks, row.feed_kept);
  for (int c = 0; c < kChannels; c++) sum_row[c] = row.output[c] + sum_row[c] * row.feed_kept[c];
  row.feed_inverse =
      normalise_row(sum_row, weights + at.feed_scale, weights + at.feed_shift, row.feed_normal, row.features);
  dense_row(row.features, kChannels, weights + at.head, weights + at.head_bias, shape.classes, logits);
}

}  // namespace earshot::EARSHOT_ISA
