// Computes softmax(q kᵀ) v and its gradient without storing the matrix of scores. Both visit all pairs
// of a head's tokens. A pair takes a few multiply-adds and one power of two, all in registers.
#pragma once

#include "exponential.h"

namespace earshot::EARSHOT_ISA {

// A number as a type, for lambdas that are compiled for several numbers.
template <int kValue>
struct Int {};

// Keys in a step: enough to hide the latency of instructions, few enough for the registers.
constexpr int kForwardKeys = kRegisters == 32 ? 4 : 2;

// Computes attention of one vector of queries (one in each lane) over all keys.
// @param queries [width] vectors, scaled by log2(e) / √width, so that powers are to base 2
// @param bound of each lane, at least its largest q · k; it is subtracted from all exponents
// @param pairs [count][2 · width]: each key, then its value
// @param result [width] vectors, receives Σ 2^(q·k − bound) v
// @return Σ 2^(q·k − bound)
// kSafe: q · k − bound may have any value; otherwise it must be at least kLeastExponent.
//
// It is not inlined and copies its arguments to local arrays, so that the compiler keeps them in
// registers.
template <int kWidth, bool kSafe>
__attribute__((noinline)) Vec attention_forward(const Vec* queries, Vec bound, const float* pairs, int count,
                                                Vec* result) {
  constexpr int kStride = 2 * kWidth;
  Vec total{}, q[kWidth], out[kWidth];
#pragma GCC unroll 16
  for (int d = 0; d < kWidth; d++) {
    q[d] = queries[d];
    out[d] = Vec{};
  }
  // In the safe version the bound is subtracted after the sum, so that a huge score is rounded as the
  // bound was.
  const Vec start = kSafe ? Vec{} : -bound;
  const auto step = [&]<int kKeys>(const float* pair, Int<kKeys>) __attribute__((always_inline)) {
    Vec p[kKeys];
#pragma GCC unroll 16
    for (int d = 0; d < kWidth; d++) {
#pragma GCC unroll 8
      for (int k = 0; k < kKeys; k++) p[k] = fma(q[d], splat(pair[k * kStride + d]), d == 0 ? start : p[k]);
    }
    if constexpr (kSafe) {
#pragma GCC unroll 8
      for (int k = 0; k < kKeys; k++) p[k] = max(splat(kLeastExponent), p[k] - bound);
    }
    exp2_each<kKeys>(p);
#pragma GCC unroll 8
    for (int k = 0; k < kKeys; k++) {
      total += p[k];
#pragma GCC unroll 16
      for (int d = 0; d < kWidth; d++) out[d] = fma(p[k], splat(pair[k * kStride + kWidth + d]), out[d]);
    }
  };
  int key = 0;
#pragma GCC unroll 1
  for (; key + kForwardKeys <= count; key += kForwardKeys) step(pairs + key * kStride, Int<kForwardKeys>{});
#pragma GCC unroll 1
  for (; key < count; key++) step(pairs + key * kStride, Int<1>{});
#pragma GCC unroll 16
  for (int d = 0; d < kWidth; d++) result[d] = out[d];
  return total;
}

// Returns the largest q · k of each lane.
template <int kWidth>
__attribute__((noinline)) Vec greatest_score(const Vec* q, const float* pairs, int count) {
  Vec greatest = splat(-3.4e38f);
#pragma GCC unroll 1
  for (int key = 0; key < count; key++) {
    const float* k = pairs + key * 2 * kWidth;
    Vec score{};
#pragma GCC unroll 16
    for (int d = 0; d < kWidth; d++) score = fma(q[d], splat(k[d]), score);
    greatest = max(greatest, score);
  }
  return greatest;
}

// Layout of a query for the backward pass: q (scaled as above), the gradient of its output, log2 of its
// softmax's denominator, and the dot product of the gradient and the output.
template <int kWidth>
struct QueryRecord {
  static constexpr int output = kWidth;
  static constexpr int log_sum = 2 * kWidth;
  static constexpr int product = 2 * kWidth + 1;
  static constexpr int size = 2 * kWidth + 2;
};

// What is kept in registers, and the number of queries in a step; chosen by measurement.
template <int kWidth>
struct BackwardPlan {
  static constexpr bool keys_in_registers = kWidth == 4 && kRegisters == 32;
  static constexpr bool sums_in_registers = kWidth == 4;
  static constexpr int queries = kWidth == 4 ? 2 : 4;
  // Number of queries whose partial gradients stay in the first-level cache while all keys are visited.
  static constexpr int block = 256 / kWidth;
};

// Adds the gradients of one vector of keys (one in each lane) and `count` queries. Probabilities are
// computed again as 2^(q·k − log_sum).
// @param keys, values channel after channel, `stride` floats apart
// @param records [count] query records; `count` is a multiple of BackwardPlan::queries, and records of
//   zeros add nothing
// @param d_keys, d_values laid out as keys, added to; d_keys lacks the factor ln 2
// @param d_queries [count][width][lanes], added to; a lane holds the part of its key; lacks the factor
//   1/√width
// kMasked: only the lanes in `mask` hold keys
template <int kWidth, bool kSafe, bool kMasked>
__attribute__((noinline)) void attention_backward(const float* keys, const float* values, int stride, IntVec mask,
                                                  const float* records, int count, float* d_keys, float* d_values,
                                                  float* d_queries) {
  using Plan = BackwardPlan<kWidth>;
  constexpr int kQueries = Plan::queries;
  using Record = QueryRecord<kWidth>;
  Vec key[kWidth], value[kWidth], d_key[kWidth], d_value[kWidth];
#pragma GCC unroll 16
  for (int d = 0; d < kWidth; d++) {
    if constexpr (Plan::keys_in_registers) {
      key[d] = load(keys + d * stride);
      value[d] = load(values + d * stride);
    }
    if constexpr (Plan::sums_in_registers) {
      d_key[d] = load(d_keys + d * stride);
      d_value[d] = load(d_values + d * stride);
    }
  }
  const auto key_at = [&](int d) __attribute__((always_inline)) {
    return Plan::keys_in_registers ? key[d] : load(keys + d * stride);
  };
  const auto value_at = [&](int d) __attribute__((always_inline)) {
    return Plan::keys_in_registers ? value[d] : load(values + d * stride);
  };
#pragma GCC unroll 1
  for (int query = 0; query < count; query += kQueries) {
    const float* record = records + query * Record::size;
    float* d_query = d_queries + query * kWidth * kLanes;
    Vec p[kQueries], g[kQueries];
#pragma GCC unroll 16
    for (int d = 0; d < kWidth; d++) {
      const Vec k = key_at(d);
#pragma GCC unroll 8
      for (int u = 0; u < kQueries; u++) {
        const float* q = record + u * Record::size;
        p[u] = fma(k, splat(q[d]), d > 0 ? p[u] : kSafe ? Vec{} : -splat(q[Record::log_sum]));
      }
    }
#pragma GCC unroll 16
    for (int d = 0; d < kWidth; d++) {
      const Vec v = value_at(d);
#pragma GCC unroll 8
      for (int u = 0; u < kQueries; u++) {
        const float* q = record + u * Record::size;
        g[u] = fma(v, splat(q[Record::output + d]), d == 0 ? -splat(q[Record::product]) : g[u]);
      }
    }
    if constexpr (kSafe) {
#pragma GCC unroll 8
      for (int u = 0; u < kQueries; u++) {
        // For huge scores, rounding can make a score exceed the logarithm of the sum that contains it.
        p[u] -= splat(record[u * Record::size + Record::log_sum]);
        p[u] = max(splat(kLeastExponent), select(p[u] > Vec{}, Vec{}, p[u]));
      }
    }
    exp2_each<kQueries>(p);
    if constexpr (kMasked) {
#pragma GCC unroll 8
      for (int u = 0; u < kQueries; u++) p[u] = (Vec)((IntVec)p[u] & mask);
    }
#pragma GCC unroll 8
    for (int u = 0; u < kQueries; u++) g[u] *= p[u];
#pragma GCC unroll 16
    for (int d = 0; d < kWidth; d++) {
      Vec sum = Plan::sums_in_registers ? d_value[d] : load(d_values + d * stride);
#pragma GCC unroll 8
      for (int u = 0; u < kQueries; u++) sum = fma(p[u], splat(record[u * Record::size + Record::output + d]), sum);
      if constexpr (Plan::sums_in_registers) {
        d_value[d] = sum;
      } else {
        store(d_values + d * stride, sum);
      }
    }
#pragma GCC unroll 16
    for (int d = 0; d < kWidth; d++) {
      Vec sum = Plan::sums_in_registers ? d_key[d] : load(d_keys + d * stride);
#pragma GCC unroll 8
      for (int u = 0; u < kQueries; u++) sum = fma(g[u], splat(record[u * Record::size + d]), sum);
      if constexpr (Plan::sums_in_registers) {
        d_key[d] = sum;
      } else {
        store(d_keys + d * stride, sum);
      }
    }
#pragma GCC unroll 16
    for (int d = 0; d < kWidth; d++) {
      const Vec k = key_at(d);
#pragma GCC unroll 8
      for (int u = 0; u < kQueries; u++) {
        float* at = d_query + (u * kWidth + d) * kLanes;
        store(at, fma(g[u], k, load(at)));
      }
    }
  }
#pragma GCC unroll 16
  for (int d = 0; d < kWidth; d++) {
    if constexpr (Plan::sums_in_registers) {
      store(d_keys + d * stride, d_key[d]);
      store(d_values + d * stride, d_value[d]);
    }
  }
}

}  // namespace earshot::EARSHOT_ISA
