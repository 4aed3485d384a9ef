// softmax(q kᵀ) v and its gradient without the matrix of scores. Both walk all pairs of a head's tokens; what a pair costs
// is a few multiply-adds and one power of two, all in registers.
#pragma once

#include "exponential.h"

namespace earshot::EARSHOT_ISA {

// A number as a type, for lambdas that are compiled once a number.
template <int kValue>
struct Int {};

// Pairs side by side, enough to hide an instruction's latency in the registers there are.
constexpr int kForwardKeys = kRegisters == 32 ? 4 : 2;

// One vector of queries (lanes) against all keys.
// @param queries times log2(e) / √width: the exponent is to base 2
// @param bound at least every q · k, lane by lane; what is added to the exponent is −bound
// @param pairs [count][2 · width]: a key, then its value
// @param result Σ 2^(q·k − bound) v; the sum of the powers is returned
// kSafe: q · k − bound can be anything (else it must be at least kLeastExponent).
//
// Not inlined, and with arrays of its own: the compiler keeps them in registers.
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
  // A huge score less its bound must not be rounded twice: it is computed as the bound was.
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

// The greatest q · k, lane by lane.
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

// A query as the backward pass reads it: q (scaled as above), the gradient of its output, log2 of its softmax's
// denominator, and the product of the gradient with the output.
template <int kWidth>
struct QueryRecord {
  static constexpr int output = kWidth;
  static constexpr int log_sum = 2 * kWidth;
  static constexpr int product = 2 * kWidth + 1;
  static constexpr int size = 2 * kWidth + 2;
};

// What fits the registers, and how many queries a step takes; measured.
template <int kWidth>
struct BackwardPlan {
  static constexpr bool keys_in_registers = kWidth == 4 && kRegisters == 32;
  static constexpr bool sums_in_registers = kWidth == 4;
  static constexpr int queries = kWidth == 4 ? 2 : 4;
  // Queries whose partial gradients stay in the first cache while all keys pass.
  static constexpr int block = 256 / kWidth;
};

// One vector of keys (lanes) against `count` queries, a multiple of BackwardPlan::queries: a record of zeros adds nothing
// to any gradient. Probabilities are computed anew: 2^(q·k − log_sum).
// @param keys, values planar, `stride` floats from channel to channel
// @param d_keys, d_values the same, added to; d_keys lacks the factor ln 2
// @param d_queries [count][width][lanes], added to: a lane holds its key's share; lacks the factor 1/√width
// kMasked: only the lanes in `mask` are keys
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
        // Of huge scores rounding can leave more than the sum they are part of.
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
