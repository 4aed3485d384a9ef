// The backward pass of class_row.h.
#pragma once

#include "class_row.h"

namespace earshot::EARSHOT_ISA {

// Gradients of dense_row; d_kernel, d_bias and d_in are overwritten.
EARSHOT_INLINE void dense_row_back(const float* in, int inputs, const float* kernel, int outputs, const float* d_out,
                                   float* d_kernel, float* d_bias, float* d_in) {
  for (int c = 0; c < outputs; c++) d_bias[c] = d_out[c];
  for (int j = 0; j < inputs; j++) {
    float product = 0;
    for (int c = 0; c < outputs; c++) {
      product += kernel[j * outputs + c] * d_out[c];
      d_kernel[j * outputs + c] = in[j] * d_out[c];
    }
    d_in[j] = product;
  }
}

// Replaces the gradient of a layer norm's output by that of its input; writes d_scale and d_shift.
EARSHOT_INLINE void normalise_row_back(const float* normal, float inverse, const float* scale, float* gradient,
                                       float* d_scale, float* d_shift) {
  float mean = 0, product = 0;
  for (int c = 0; c < kChannels; c++) {
    d_shift[c] = gradient[c];
    d_scale[c] = gradient[c] * normal[c];
    gradient[c] *= scale[c];
    mean += gradient[c] / kChannels;
    product += gradient[c] * normal[c] / kChannels;
  }
  for (int c = 0; c < kChannels; c++) gradient[c] = inverse * (gradient[c] - mean - normal[c] * product);
}

// Adds a head's part of the input's gradient.
// @param shares the softmax, 0 behind the last token
// @param asked Kᵀq / √width; its gradient is written to d_asked
// @param d_gathered the gradient of Σ p x
// @param d_input plane, added to
static inline __attribute__((noinline)) void gather_back(const EncoderShape& shape, const float* asked,
                                                         const float* gathered, const float* d_gathered,
                                                         const float* input, const float* shares, float* d_input,
                                                         float* d_asked) {
  float expected = 0;
  for (int c = 0; c < kChannels; c++) expected += d_gathered[c] * gathered[c];
  Vec sums[kChannels] = {};
  for (int t = 0; t < shape.padded; t += kLanes) {
    const Vec p = load(shares + t);
    Vec d_share = splat(-expected);
    for (int c = 0; c < kChannels; c++) {
      d_share = fma(load(input + c * shape.padded + t), splat(d_gathered[c]), d_share);
    }
    const Vec d_score = p * d_share;
    for (int c = 0; c < kChannels; c++) {
      float* at = d_input + c * shape.padded + t;
      sums[c] = fma(d_score, load(input + c * shape.padded + t), sums[c]);
      store(at, load(at) + p * splat(d_gathered[c]) + d_score * splat(asked[c]));
    }
  }
  for (int c = 0; c < kChannels; c++) d_asked[c] = sum(sums[c]);
}

// Computes the gradients of the last block's input plane and of all weights behind it, from those of the
// logits. The outputs are overwritten.
static inline __attribute__((noinline)) void classify_row_back(const EncoderShape& shape, const float* weights,
                                                               const float* input, const float* shares, float* memory,
                                                               const float* d_logits, float* d_input,
                                                               float* gradients) {
  using At = AttentionLayout;
  const EncoderLayout at = EncoderLayout::of(shape);
  const ClassRow& row = *class_row(memory);
  float* hidden = hidden_units(memory);
  float d_row[kChannels], d_branch[kChannels], d_sum[kChannels];
  dense_row_back(row.features, kChannels, weights + at.head, shape.classes, d_logits, gradients + at.head,
                 gradients + at.head_bias, d_row);
  normalise_row_back(row.feed_normal, row.feed_inverse, weights + at.feed_scale, d_row, gradients + at.feed_scale,
                     gradients + at.feed_shift);
  for (int c = 0; c < kChannels; c++) d_branch[c] = d_row[c] * row.feed_kept[c];

  // The gradient of each hidden unit replaces its activation.
  float* d_feed_out = gradients + at.feed_out;
  for (int c = 0; c < kChannels; c++) gradients[at.feed_out_bias + static_cast<size_t>(c)] = d_branch[c];
  for (int m = 0; m < shape.hidden; m++) {
    const float* kernel = weights + at.feed_out + m * kChannels;
    const float unit = hidden[m];
    float product = 0;
    for (int c = 0; c < kChannels; c++) {
      product += kernel[c] * d_branch[c];
      d_feed_out[m * kChannels + c] = unit * d_branch[c];
    }
    hidden[m] = unit > 0 ? product : 0;
  }
  dense_row_back(row.output, kChannels, weights + EncoderLayout::feed_in, shape.hidden, hidden,
                 gradients + EncoderLayout::feed_in, gradients + at.feed_in_bias, d_sum);
  for (int c = 0; c < kChannels; c++) d_row[c] += d_sum[c];

  const size_t first = EncoderLayout::block(kAttentionBlocks - 1);
  const float* block = weights + first;
  float* d_block = gradients + first;
  normalise_row_back(row.normal, row.inverse, block + At::norm_scale, d_row, d_block + At::norm_scale,
                     d_block + At::norm_shift);
  for (int c = 0; c < kChannels; c++) d_branch[c] = d_row[c] * row.kept[c];
  float d_attended[kChannels], d_query[kChannels];
  dense_row_back(row.attended, kChannels, block + At::out, kChannels, d_branch, d_block + At::out,
                 d_block + At::out_bias, d_attended);

  memset(d_input, 0, shape.plane() * sizeof(float));
  const int width = kChannels / shape.heads;
  const float scale = 1 / __builtin_sqrtf(static_cast<float>(width));
  for (int head = 0; head < shape.heads; head++) {
    float d_gathered[kChannels], d_asked[kChannels];
    for (int j = 0; j < kChannels; j++) {
      d_gathered[j] = 0;
      for (int c = head * width; c < (head + 1) * width; c++) {
        const int entry = j * kChannels + c;
        d_gathered[j] += block[At::value + entry] * d_attended[c];
        d_block[At::value + entry] = row.gathered[head][j] * d_attended[c];
      }
    }
    gather_back(shape, row.asked[head], row.gathered[head], d_gathered, input, shares + head * shape.padded, d_input,
                d_asked);
    for (int c = head * width; c < (head + 1) * width; c++) {
      d_query[c] = 0;
      for (int j = 0; j < kChannels; j++) {
        const int entry = j * kChannels + c;
        d_query[c] += scale * block[At::key + entry] * d_asked[j];
        d_block[At::key + entry] = scale * d_asked[j] * row.query[c];
      }
      d_block[At::value_bias + c] = d_attended[c];
      // The key's bias adds the same to all scores of a query, which does not change the softmax.
      d_block[At::key_bias + c] = 0;
    }
  }
  dense_row_back(row.input, kChannels, block + At::query, kChannels, d_query, d_block + At::query,
                 d_block + At::query_bias, d_sum);
  for (int c = 0; c < kChannels; c++) d_input[c * shape.padded] += d_row[c] + d_sum[c];
}

}  // namespace earshot::EARSHOT_ISA
