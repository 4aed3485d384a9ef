// The encoder's forward pass: stages and tiles for inference, and whole clips for training.
#include "../encoder_kernels.h"
#include "attention.h"
#include "class_row.h"
#include "planar.h"

namespace earshot::EARSHOT_ISA {

namespace {

constexpr float kLog2E = 1.44269504f;
// Largest range of a query's exponents for which the bound from the keys' ranges is used. What
// underflows is then less than 2⁻²⁵ of the sum.
constexpr float kSafeSpread = 90;
constexpr uint32_t kAllLanes = static_cast<uint32_t>((uint64_t{1} << kLanes) - 1);

// The least and the greatest key of each channel over all tiles; `probe` is NaN if any key is not
// finite, else 0.
struct KeyRanges {
  float least[kChannels], greatest[kChannels], probe[kChannels];
};

// Computes the keys and values of a tile's tokens, and the keys' ranges. `input` is a plane.
void make_keys(const EncoderShape& shape, const float* block, int tile, const float* input, const KeysView& keys) {
  using At = AttentionLayout;
  constexpr int kVecs = kChannels / kLanes;
  const int width = kChannels / shape.heads;
  const int first = tile * kLanes;
  const int count = shape.tokens - first < kLanes ? shape.tokens - first : kLanes;
  Vec least[kVecs], greatest[kVecs], probe[kVecs] = {};
  for (int v = 0; v < kVecs; v++) {
    least[v] = splat(3.4e38f);
    greatest[v] = splat(-3.4e38f);
  }
  constexpr int kGroup = kLanes == 16 ? 4 : 2;
  for (int t = 0; t < count; t += kGroup) {
    Vec key[kGroup][kVecs] = {}, value[kGroup][kVecs];
    for (int g = 0; g < kGroup; g++) {
      for (int v = 0; v < kVecs; v++) value[g][v] = load(block + At::value_bias + v * kLanes);
    }
#pragma GCC unroll 1
    for (int j = 0; j < kChannels; j++) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; v++) {
        const Vec k = load(block + At::key + j * kChannels + v * kLanes);
        const Vec w = load(block + At::value + j * kChannels + v * kLanes);
#pragma GCC unroll 4
        for (int g = 0; g < kGroup; g++) {
          const Vec x = splat(input[j * shape.padded + first + t + g]);
          key[g][v] = fma(x, k, key[g][v]);
          value[g][v] = fma(x, w, value[g][v]);
        }
      }
    }
    for (int g = 0; g < kGroup && t + g < count; g++) {
      float row[2][kChannels];
      for (int v = 0; v < kVecs; v++) {
        const Vec k = key[g][v];
        store(row[0] + v * kLanes, k);
        store(row[1] + v * kLanes, value[g][v]);
        least[v] = select(k < least[v], k, least[v]);
        greatest[v] = select(k > greatest[v], k, greatest[v]);
        probe[v] += k * splat(0);
      }
      const size_t bytes = static_cast<size_t>(width) * sizeof(float);
      for (int head = 0; head < shape.heads; head++) {
        float* pair = keys.pairs + (static_cast<size_t>(head) * shape.padded + first + t + g) * 2 * width;
        memcpy(pair, row[0] + head * width, bytes);
        memcpy(pair + width, row[1] + head * width, bytes);
      }
    }
  }
  float* range = keys.ranges + static_cast<size_t>(tile) * 3 * kChannels;
  for (int v = 0; v < kVecs; v++) {
    store(range + v * kLanes, least[v]);
    store(range + kChannels + v * kLanes, greatest[v]);
    store(range + 2 * kChannels + v * kLanes, probe[v]);
  }
}

KeyRanges merge_ranges(const EncoderShape& shape, const KeysView& keys) {
  constexpr int kVecs = kChannels / kLanes;
  const int tiles = (shape.tokens + kLanes - 1) / kLanes;
  KeyRanges merged;
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; v++) {
    Vec least = splat(3.4e38f), greatest = splat(-3.4e38f), probe{};
    for (int tile = 0; tile < tiles; tile++) {
      const float* range = keys.ranges + tile * 3 * kChannels + v * kLanes;
      const Vec low = load(range), high = load(range + kChannels);
      least = select(low < least, low, least);
      greatest = select(high > greatest, high, greatest);
      probe += load(range + 2 * kChannels);
    }
    store(merged.least + v * kLanes, least);
    store(merged.greatest + v * kLanes, greatest);
    store(merged.probe + v * kLanes, probe);
  }
  return merged;
}

// Computes softmax(qkᵀ)v of all heads for one vector of queries.
// @param attended [16] vectors
// @param log_sums [heads][padded], pointing to the tile's tokens; or null
template <int kWidth>
void attend_heads(const EncoderShape& shape, const KeyRanges& ranges, const KeysView& keys, const Vec* q,
                  Vec* attended, float* log_sums) {
#pragma GCC unroll 1
  for (int head = 0; head < kChannels / kWidth; head++) {
    const Vec* query = q + head * kWidth;
    Vec bound{}, spread{};
    for (int d = 0; d < kWidth; d++) {
      const int c = head * kWidth + d;
      const Vec a = query[d] * splat(ranges.greatest[c]), b = query[d] * splat(ranges.least[c]);
      bound += select(a > b, a, b);
      spread += select(a > b, a - b, b - a) + splat(ranges.probe[c]);
    }
    const float* pairs = keys.pairs + static_cast<size_t>(head) * shape.padded * 2 * kWidth;
    Vec out[kWidth], total;
    if (to_bits(spread <= splat(kSafeSpread)) == kAllLanes) {
      total = attention_forward<kWidth, false>(query, bound, pairs, shape.tokens, out);
    } else {
      bound = greatest_score<kWidth>(query, pairs, shape.tokens);
      total = attention_forward<kWidth, true>(query, bound, pairs, shape.tokens, out);
    }
    const Vec inverse = splat(1) / total;
    for (int d = 0; d < kWidth; d++) attended[head * kWidth + d] = out[d] * inverse;
    if (log_sums != nullptr) store(log_sums + head * shape.padded, bound + log2(total));
  }
}

// Where a training pass stores a tile's values for the backward pass; the pointers are to the tile's
// tokens.
struct TileTape {
  const EncoderDropout* dropout;
  float* attended;  // plane
  float* log_sums;  // [heads][padded]
};

void attend_tile(const EncoderShape& shape, const float* block, int index, int tile, const KeyRanges& ranges,
                 const float* input, const KeysView& keys, float* output, const TileTape* tape) {
  using At = AttentionLayout;
  const int first = tile * kLanes;
  Vec x[kChannels], q[kChannels], attended[kChannels], sums[kChannels];
  load_rows(input + first, shape.padded, x);
  project(x, block + At::query, block + At::query_bias, q);
  const Vec scale = splat(kLog2E / __builtin_sqrtf(static_cast<float>(kChannels) / static_cast<float>(shape.heads)));
  for (int c = 0; c < kChannels; c++) q[c] *= scale;
  float* log_sums = tape == nullptr ? nullptr : tape->log_sums;
  if (shape.heads == 1) attend_heads<16>(shape, ranges, keys, q, attended, log_sums);
  if (shape.heads == 2) attend_heads<8>(shape, ranges, keys, q, attended, log_sums);
  if (shape.heads == 4) attend_heads<4>(shape, ranges, keys, q, attended, log_sums);
  project(attended, block + At::out, block + At::out_bias, sums);
  if (tape != nullptr) {
    store_rows(tape->attended, shape.padded, attended);
    if (tape->dropout->rate > 0) {
      Vec factors[kChannels];
      const auto element = (tape->dropout->slot * static_cast<uint32_t>(shape.tokens) + static_cast<uint32_t>(first)) *
                           static_cast<uint32_t>(kChannels);
      dropout_rows(*tape->dropout, index, element, factors);
      for (int c = 0; c < kChannels; c++) sums[c] *= factors[c];
    }
  }
  for (int c = 0; c < kChannels; c++) sums[c] += x[c];
  normalise(sums, x);
  scale_and_shift(x, block + At::norm_scale, block + At::norm_shift, sums);
  store_rows(output + first, shape.padded, sums);
}

// Writes a tile's tokens to the plane: the class token, the trunk's tokens, and zeros behind the last
// one.
void embed_tile(const EncoderShape& shape, const float* weights, const float* positions, const float* trunk_tokens,
                int tile, float* input) {
  const int first = tile * kLanes;
  for (int i = 0; i < kLanes; i++) {
    const int token = first + i;
    const float* from = token == 0 ? weights + EncoderLayout::class_token
                                   : trunk_tokens + static_cast<size_t>(token - 1) * kChannels;
    for (int c = 0; c < kChannels; c++) {
      const int at = c * shape.padded + token;
      input[at] = token < shape.tokens ? from[c] + positions[at] : 0;
    }
  }
}

int tiles_of(const EncoderShape& shape) { return (shape.tokens + kLanes - 1) / kLanes; }

void embed(const EncoderShape& shape, const float* weights, const float* positions, const float* trunk_tokens, int tile,
           float* input, const KeysView& keys) {
  embed_tile(shape, weights, positions, trunk_tokens, tile, input);
  make_keys(shape, weights + EncoderLayout::block(0), tile, input, keys);
}

void attend(const EncoderShape& shape, const float* weights, int block, int tile, const float* input,
            const KeysView& keys, float* output, const KeysView& next_keys) {
  const KeyRanges ranges = merge_ranges(shape, keys);
  attend_tile(shape, weights + EncoderLayout::block(block), block, tile, ranges, input, keys, output, nullptr);
  if (block + 1 < kAttentionBlocks - 1) {
    make_keys(shape, weights + EncoderLayout::block(block + 1), tile, output, next_keys);
  }
}

size_t scratch_floats(const EncoderShape& shape) {
  return static_cast<size_t>(4 * shape.padded) + encoder_row_floats(shape);
}

void classify(const EncoderShape& shape, const float* weights, const float* input, float* logits, float* scratch) {
  classify_row(shape, weights, nullptr, input, scratch, scratch + 4 * shape.padded, logits);
}

void forward(const EncoderShape& shape, const float* weights, const float* positions, const float* trunk_tokens,
             const EncoderDropout& dropout, const EncoderTapeView& tape, const KeysView& keys, float* logits) {
  const size_t plane = shape.plane();
  const int tiles = tiles_of(shape);
  for (int tile = 0; tile < tiles; tile++) embed_tile(shape, weights, positions, trunk_tokens, tile, tape.inputs);
  for (int block = 0; block < kAttentionBlocks - 1; block++) {
    const float* input = tape.inputs + static_cast<size_t>(block) * plane;
    const float* parameters = weights + EncoderLayout::block(block);
    for (int tile = 0; tile < tiles; tile++) make_keys(shape, parameters, tile, input, keys);
    const KeyRanges ranges = merge_ranges(shape, keys);
    for (int tile = 0; tile < tiles; tile++) {
      const size_t at = static_cast<size_t>(tile * kLanes);
      const TileTape tile_tape = {&dropout, tape.attended + static_cast<size_t>(block) * plane + at,
                                  tape.log_sums + static_cast<size_t>(block * 4 * shape.padded) + at};
      attend_tile(shape, parameters, block, tile, ranges, input, keys,
                  tape.inputs + static_cast<size_t>(block + 1) * plane, &tile_tape);
    }
  }
  classify_row(shape, weights, &dropout, tape.inputs + (kAttentionBlocks - 1) * plane, tape.shares, tape.row, logits);
}

}  // namespace

size_t encoder_backward_scratch_floats(const EncoderShape& shape);
void encoder_backward(const EncoderShape& shape, const float* weights, const EncoderDropout& dropout,
                             const EncoderTapeView& tape, const float* d_logits, float* d_trunk_tokens,
                             float* gradients, float* scratch);

extern const EncoderKernels encoder_kernels;
const EncoderKernels encoder_kernels = {
    kLanes, scratch_floats, encoder_backward_scratch_floats, embed, attend, classify, forward, encoder_backward};

}  // namespace earshot::EARSHOT_ISA
