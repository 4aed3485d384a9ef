// The encoder's backward pass for one clip. Projections, normalised rows and probabilities are computed
// again rather than kept by the forward pass, because that takes less time than reading them from
// memory.
#include "../encoder_kernels.h"
#include "attention.h"
#include "class_row_backward.h"
#include "planar.h"

namespace earshot::EARSHOT_ISA {

namespace {

constexpr float kLn2 = 0.693147181f;
constexpr float kLog2E = 1.44269504f;
// As in the forward pass. A query's log_sum is at most log2(tokens) above its bound.
constexpr float kSafeSpread = 90;

constexpr int kMatrix = kChannels * kChannels;
constexpr int kMaxRecord = QueryRecord<kChannels>::size;

// Scratch memory of a clip's backward pass: planes and small sums.
struct Workspace {
  float *keys, *values, *d_keys, *d_values, *d_queries, *d_rows;  // planes
  float* records;                                                 // [heads][padded] query records
  float* partial;                                                 // gradients of a block of queries, by lane
  float* sums;                                                    // [16 × 16] vectors
};

size_t record_floats(const EncoderShape& shape) {
  // 2 · width + 2 for each head; the largest sum is that of four heads.
  return static_cast<size_t>(2 * kChannels + 2 * 4) * static_cast<size_t>(shape.padded);
}

Workspace lay_out(const EncoderShape& shape, float* scratch) {
  const size_t plane = shape.plane();
  float* rest = scratch + 6 * plane;
  return {scratch,         scratch + plane,     scratch + 2 * plane,
          scratch + 3 * plane, scratch + 4 * plane, scratch + 5 * plane,
          rest,            rest + record_floats(shape), rest + record_floats(shape) + 256 * kMaxLanes};
}

int tiles_of(const EncoderShape& shape) { return (shape.tokens + kLanes - 1) / kLanes; }

// sums[j][c] += a[j] b[c] in every lane.
__attribute__((noinline)) void add_products(const Vec* a, const Vec* b, float* sums) {
#pragma GCC unroll 1
  for (int j = 0; j < kChannels; j++) {
#pragma GCC unroll 16
    for (int c = 0; c < kChannels; c++) {
      float* at = sums + (j * kChannels + c) * kLanes;
      store(at, fma(a[j], b[c], load(at)));
    }
  }
}

void reduce(const float* sums, int count, float* out) {
  for (int i = 0; i < count; i++) out[i] = sum(load(sums + i * kLanes));
}

// d_kernel[j][c] = Σ in[j] d_out[c] and d_bias[c] = Σ d_out[c] over all tokens; both are planes.
void weight_gradients(const EncoderShape& shape, const float* in, const float* d_out, float* sums, float* d_kernel,
                      float* d_bias) {
  memset(sums, 0, kMatrix * kLanes * sizeof(float));
  Vec bias[kChannels] = {}, a[kChannels], b[kChannels];
  for (int tile = 0; tile < tiles_of(shape); tile++) {
    load_rows(in + tile * kLanes, shape.padded, a);
    load_rows(d_out + tile * kLanes, shape.padded, b);
    add_products(a, b, sums);
    for (int c = 0; c < kChannels; c++) bias[c] += b[c];
  }
  reduce(sums, kMatrix, d_kernel);
  for (int c = 0; c < kChannels; c++) d_bias[c] = sum(bias[c]);
}

struct BlockView {
  const float* parameters;
  float* gradients;
  const float* input;
  const float* attended;
  const float* log_sums;
  int index;
};

// Computes the planes of keys and values.
// @param least, greatest [16], overwritten: the range of the keys of each channel; NaN if any is not
//   finite
void make_planes(const EncoderShape& shape, const BlockView& block, const Workspace& work, float* least,
                 float* greatest) {
  using At = AttentionLayout;
  Vec x[kChannels], k[kChannels], v[kChannels], low[kChannels], high[kChannels];
  for (int c = 0; c < kChannels; c++) {
    low[c] = splat(3.4e38f);
    high[c] = splat(-3.4e38f);
  }
  for (int tile = 0; tile < tiles_of(shape); tile++) {
    load_rows(block.input + tile * kLanes, shape.padded, x);
    project(x, block.parameters + At::key, nullptr, k);
    project(x, block.parameters + At::value, block.parameters + At::value_bias, v);
    store_rows(work.keys + tile * kLanes, shape.padded, k);
    store_rows(work.values + tile * kLanes, shape.padded, v);
    // Lanes behind the last token can only widen the range. A NaN among the keys makes it NaN.
    for (int c = 0; c < kChannels; c++) {
      low[c] = select(low[c] < k[c], low[c], k[c]);
      high[c] = select(high[c] > k[c], high[c], k[c]) + k[c] * splat(0);
    }
  }
  for (int c = 0; c < kChannels; c++) {
    least[c] = low[c][0];
    greatest[c] = high[c][0];
    for (int i = 1; i < kLanes; i++) {
      least[c] = least[c] < low[c][i] ? least[c] : low[c][i];
      greatest[c] = greatest[c] > high[c][i] ? greatest[c] : high[c][i];
      greatest[c] += high[c][i] * 0;
    }
  }
}

// Backward pass of layer norm, residual, dropout and output projection. `work.d_rows` holds the gradient
// of the block's output, and receives the residual's part of the gradient of the block's input. The
// attention's part goes into the query records.
// @param safe [heads], overwritten: whether exponents may underflow, so that the safe kernel is needed
void tail_back(const EncoderShape& shape, const BlockView& block, const EncoderDropout& dropout, const float* least,
               const float* greatest, const Workspace& work, bool* safe) {
  using At = AttentionLayout;
  const int width = kChannels / shape.heads, record_size = 2 * width + 2;
  const Vec scale = splat(kLog2E / __builtin_sqrtf(static_cast<float>(width)));
  for (int head = 0; head < shape.heads; head++) safe[head] = false;
  memset(work.sums, 0, kMatrix * kLanes * sizeof(float));
  Vec d_scale[kChannels] = {}, d_shift[kChannels] = {}, d_bias[kChannels] = {};
  for (int tile = 0; tile < tiles_of(shape); tile++) {
    const int first = tile * kLanes;
    const int count = shape.tokens - first < kLanes ? shape.tokens - first : kLanes;
    const IntVec valid = count == kLanes ? (IntVec)splat_bits(~0u) : from_bits((1u << count) - 1);
    Vec x[kChannels], attended[kChannels], rows[kChannels], normal[kChannels], gradient[kChannels], factors[kChannels];
    load_rows(block.input + first, shape.padded, x);
    load_rows(block.attended + first, shape.padded, attended);
    load_rows(work.d_rows + first, shape.padded, gradient);
    project(attended, block.parameters + At::out, block.parameters + At::out_bias, rows);
    for (int c = 0; c < kChannels; c++) factors[c] = splat(1);
    if (dropout.rate > 0) {
      const auto element = (dropout.slot * static_cast<uint32_t>(shape.tokens) + static_cast<uint32_t>(first)) *
                           static_cast<uint32_t>(kChannels);
      dropout_rows(dropout, block.index, element, factors);
    }
    for (int c = 0; c < kChannels; c++) rows[c] = fma(rows[c], factors[c], x[c]);
    const Vec inverse = normalise(rows, normal);
    for (int c = 0; c < kChannels; c++) {
      d_shift[c] += gradient[c];
      d_scale[c] = fma(gradient[c], normal[c], d_scale[c]);
      gradient[c] *= splat(block.parameters[At::norm_scale + c]);
    }
    normalise_back(normal, inverse, gradient);
    for (int c = 0; c < kChannels; c++) gradient[c] = (Vec)((IntVec)gradient[c] & valid);
    store_rows(work.d_rows + first, shape.padded, gradient);
    for (int c = 0; c < kChannels; c++) {
      gradient[c] *= factors[c];
      d_bias[c] += gradient[c];
    }
    add_products(attended, gradient, work.sums);
    Vec d_attended[kChannels] = {}, q[kChannels];
    project_back(gradient, block.parameters + At::out, d_attended);
    project(x, block.parameters + At::query, block.parameters + At::query_bias, q);

    for (int head = 0; head < shape.heads; head++) {
      float lanes[kMaxRecord][kLanes];
      Vec product{}, spread{};
      for (int d = 0; d < width; d++) {
        const int c = head * width + d;
        q[c] *= scale;
        product = fma(d_attended[c], attended[c], product);
        const Vec a = q[c] * splat(greatest[c]), b = q[c] * splat(least[c]);
        spread += select(a > b, a - b, b - a);
        store(lanes[d], q[c]);
        store(lanes[width + d], d_attended[c]);
      }
      store(lanes[2 * width], load(block.log_sums + head * shape.padded + first));
      store(lanes[2 * width + 1], product);
      const uint32_t wide = ~to_bits(spread <= splat(kSafeSpread)) & to_bits(valid);
      if (wide != 0) safe[head] = true;
      float* record = work.records + static_cast<size_t>(head * shape.padded + first) * record_size;
      for (int i = 0; i < kLanes; i++, record += record_size) {
        for (int entry = 0; entry < record_size; entry++) record[entry] = i < count ? lanes[entry][i] : 0;
      }
    }
  }
  reduce(work.sums, kMatrix, block.gradients + At::out);
  for (int c = 0; c < kChannels; c++) {
    block.gradients[At::out_bias + c] = sum(d_bias[c]);
    block.gradients[At::norm_scale + c] = sum(d_scale[c]);
    block.gradients[At::norm_shift + c] = sum(d_shift[c]);
  }
}

// Backward pass of one head over all pairs of its tokens, a block of queries at a time.
template <int kWidth, bool kSafe>
void head_back(const EncoderShape& shape, int head, const Workspace& work) {
  constexpr int kRecord = QueryRecord<kWidth>::size;
  constexpr int kBlock = BackwardPlan<kWidth>::block;
  const size_t at = static_cast<size_t>(head * kWidth) * static_cast<size_t>(shape.padded);
  const int whole = shape.tokens / kLanes * kLanes;
  const IntVec all = (IntVec)splat_bits(~0u), last = from_bits((1u << (shape.tokens - whole)) - 1);
  const float scale = 1 / __builtin_sqrtf(static_cast<float>(kWidth));
  static_assert(kLanes % BackwardPlan<kWidth>::queries == 0 && kBlock % kLanes == 0);
  for (int first = 0; first < shape.tokens; first += kBlock) {
    const int rest = tiles_of(shape) * kLanes - first;
    const int count = rest < kBlock ? rest : kBlock;
    const float* records = work.records + static_cast<size_t>(head * shape.padded + first) * kRecord;
    memset(work.partial, 0, static_cast<size_t>(count * kWidth * kLanes) * sizeof(float));
#pragma GCC unroll 1
    for (int key = 0; key < whole; key += kLanes) {
      const size_t to = at + static_cast<size_t>(key);
      attention_backward<kWidth, kSafe, false>(work.keys + to, work.values + to, shape.padded, all, records, count,
                                               work.d_keys + to, work.d_values + to, work.partial);
    }
    if (whole < shape.tokens) {
      const size_t to = at + static_cast<size_t>(whole);
      attention_backward<kWidth, kSafe, true>(work.keys + to, work.values + to, shape.padded, last, records, count,
                                              work.d_keys + to, work.d_values + to, work.partial);
    }
    for (int i = 0; i < count && first + i < shape.tokens; i++) {
      for (int d = 0; d < kWidth; d++) {
        work.d_queries[at + static_cast<size_t>(d * shape.padded + first + i)] =
            scale * sum(load(work.partial + (i * kWidth + d) * kLanes));
      }
    }
  }
}

template <int kWidth>
void heads_back(const EncoderShape& shape, const bool* safe, const Workspace& work) {
  for (int head = 0; head < kChannels / kWidth; head++) {
    if (safe[head]) {
      head_back<kWidth, true>(shape, head, work);
    } else {
      head_back<kWidth, false>(shape, head, work);
    }
  }
}

// Computes the gradients of the projections' weights, and adds those of the block's input to
// `work.d_rows`.
void projections_back(const EncoderShape& shape, const BlockView& block, const Workspace& work) {
  using At = AttentionLayout;
  Vec rows[kChannels], part[kChannels];
  for (int tile = 0; tile < tiles_of(shape); tile++) {
    const int first = tile * kLanes;
    load_rows(work.d_rows + first, shape.padded, rows);
    load_rows(work.d_queries + first, shape.padded, part);
    project_back(part, block.parameters + At::query, rows);
    load_rows(work.d_keys + first, shape.padded, part);
    for (int c = 0; c < kChannels; c++) part[c] *= splat(kLn2);
    store_rows(work.d_keys + first, shape.padded, part);
    project_back(part, block.parameters + At::key, rows);
    load_rows(work.d_values + first, shape.padded, part);
    project_back(part, block.parameters + At::value, rows);
    store_rows(work.d_rows + first, shape.padded, rows);
  }
  weight_gradients(shape, block.input, work.d_queries, work.sums, block.gradients + At::query,
                   block.gradients + At::query_bias);
  weight_gradients(shape, block.input, work.d_keys, work.sums, block.gradients + At::key,
                   block.gradients + At::key_bias);
  weight_gradients(shape, block.input, work.d_values, work.sums, block.gradients + At::value,
                   block.gradients + At::value_bias);
  // The key's bias adds the same to all scores of a query, which does not change the softmax.
  for (int c = 0; c < kChannels; c++) block.gradients[At::key_bias + c] = 0;
}

void block_back(const EncoderShape& shape, const BlockView& block, const EncoderDropout& dropout,
                const Workspace& work) {
  float least[kChannels], greatest[kChannels];
  bool safe[4];
  make_planes(shape, block, work, least, greatest);
  tail_back(shape, block, dropout, least, greatest, work, safe);
  const size_t bytes = shape.plane() * sizeof(float);
  memset(work.d_keys, 0, bytes);
  memset(work.d_values, 0, bytes);
  memset(work.d_queries, 0, bytes);
  if (shape.heads == 1) heads_back<16>(shape, safe, work);
  if (shape.heads == 2) heads_back<8>(shape, safe, work);
  if (shape.heads == 4) heads_back<4>(shape, safe, work);
  projections_back(shape, block, work);
}

}  // namespace

size_t encoder_backward_scratch_floats(const EncoderShape& shape) {
  return 6 * shape.plane() + record_floats(shape) + 256 * kMaxLanes + kMatrix * kMaxLanes;
}

void encoder_backward(const EncoderShape& shape, const float* weights, const EncoderDropout& dropout,
                             const EncoderTapeView& tape, const float* d_logits, float* d_trunk_tokens,
                             float* gradients, float* scratch) {
  const Workspace work = lay_out(shape, scratch);
  const size_t plane = shape.plane();
  classify_row_back(shape, weights, tape.inputs + (kAttentionBlocks - 1) * plane, tape.shares, tape.row, d_logits,
                    work.d_rows, gradients);
  for (int index = kAttentionBlocks - 2; index >= 0; index--) {
    const size_t at = static_cast<size_t>(index) * plane;
    const BlockView block = {weights + EncoderLayout::block(index),
                             gradients + EncoderLayout::block(index),
                             tape.inputs + at,
                             tape.attended + at,
                             tape.log_sums + static_cast<size_t>(index * 4 * shape.padded),
                             index};
    block_back(shape, block, dropout, work);
  }
  for (int c = 0; c < kChannels; c++) gradients[c] = work.d_rows[c * shape.padded];  // of the class token
  for (int token = 1; token < shape.tokens; token++) {
    float* to = d_trunk_tokens + static_cast<size_t>(token - 1) * kChannels;
    for (int c = 0; c < kChannels; c++) to[c] = work.d_rows[c * shape.padded + token];
  }
}

}  // namespace earshot::EARSHOT_ISA
