// Scalar version of shared/compute/network/dropout.ts, for a layer that is too small for vectors.
#pragma once

#include <cstdint>

namespace earshot {

class DropoutMask {
 public:
  DropoutMask(double rate, uint32_t seed)
      : threshold_(static_cast<uint32_t>(rate * 65536 + 0.5)), kept_(static_cast<float>(1 / (1 - rate))), seed_(seed) {}

  // Factor of activation `index` of the layer: 0 or 1 / (1 − rate).
  float at(uint32_t index) const {
    uint32_t x = (index >> 1) ^ seed_;
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    x ^= x >> 16;
    return (index % 2 == 0 ? x & 0xffffu : x >> 16) < threshold_ ? 0 : kept_;
  }

 private:
  uint32_t threshold_;
  float kept_;
  uint32_t seed_;
};

}  // namespace earshot
