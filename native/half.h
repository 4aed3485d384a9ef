// Half-precision floats (IEEE 754 binary16).
#pragma once

#include <cstdint>
#include <cstring>

namespace earshot {

// Converts a float to half precision if that is exact. @return whether it is; if so, `half` is written
inline bool to_half(float value, uint16_t* half) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000;
  const int exponent = static_cast<int>(bits >> 23 & 0xff) - 127;
  const uint32_t fraction = bits & 0x7fffff;
  if ((bits & 0x7fffffff) == 0) {
    *half = static_cast<uint16_t>(sign);
    return true;
  }
  // Below 2^-14 a half is subnormal: its leading one is explicit, and each power of two costs a digit.
  const int lost = exponent < -14 ? 13 + (-14 - exponent) : 13;
  if (exponent > 15 || exponent < -24 || (fraction & ((1u << lost) - 1)) != 0) return false;
  const uint32_t normal = static_cast<uint32_t>(exponent + 15) << 10 | fraction >> 13;
  const uint32_t subnormal = (0x800000u | fraction) >> lost;
  *half = static_cast<uint16_t>(sign | (exponent < -14 ? subnormal : normal));
  return true;
}

}  // namespace earshot
