// Dropout masks as in shared/compute/network/dropout.ts, computed where they are used: activation i
// takes 16 bits of the hash of i >> 1.
#pragma once

#include "vec.h"

namespace earshot::EARSHOT_ISA {

struct DropoutRate {
  uint32_t threshold;  // of 65,536
  float kept;          // factor of a kept activation: 1 / (1 − rate)
};

EARSHOT_INLINE DropoutRate dropout_rate(double rate) {
  return {static_cast<uint32_t>(rate * 65536 + 0.5), static_cast<float>(1 / (1 - rate))};
}

// Multiplies `count` activations by the mask from activation 2 × `first_pair` on. `count` is a multiple
// of 2 × kLanes.
EARSHOT_INLINE void drop_out(float* values, long count, uint32_t first_pair, uint32_t seed, DropoutRate rate) {
  typedef int32_t Order __attribute__((vector_size(4 * kLanes)));
  Order low_half{}, high_half{};
  for (int i = 0; i < kLanes; i++) {
    low_half[i] = i / 2 + (i % 2) * kLanes;
    high_half[i] = low_half[i] + kLanes / 2;
  }
  const UintVec threshold = splat_bits(rate.threshold);
  UintVec pair = lane_numbers() + splat_bits(first_pair);
  for (long at = 0; at < count; at += 2 * kLanes) {
    const UintVec bits = hash32(pair ^ seed);
    const UintVec even = bits & 0xffffu, odd = bits >> 16;
    const UintVec first = shuffle(even, odd, low_half);
    const UintVec second = shuffle(even, odd, high_half);
    const Vec a = load(values + at), b = load(values + at + kLanes);
    store(values + at, select(first >= threshold, a * rate.kept, Vec{}));
    store(values + at + kLanes, select(second >= threshold, b * rate.kept, Vec{}));
    pair += splat_bits(kLanes);
  }
}

}  // namespace earshot::EARSHOT_ISA
