// Tables for the transform of isa/spectra.h, which computes the spectrum of `size` real samples by a
// complex transform of size / 2 values.
#pragma once

#include <cmath>
#include <vector>

namespace earshot {

inline constexpr double kPi = 3.14159265358979323846;

// Fills `order` for a transform of `length` values that begins at `place`: order[first + i · step] is
// the index at which the passes leave value i. Values of equal index modulo 4 end up together.
inline void note_order(int length, int place, int first, int step, std::vector<int>& order) {
  if (length == 1) {
    order[static_cast<size_t>(first)] = place;
    return;
  }
  const int radix = length == 2 ? 2 : 4;
  for (int part = 0; part < radix; part++) {
    note_order(length / radix, place + part * (length / radix), first + part * step, radix * step, order);
  }
}

// [size / 2]: index of each value after the passes.
inline std::vector<int> transform_order(int size) {
  std::vector<int> order(static_cast<size_t>(size / 2));
  note_order(size / 2, 0, 0, 1, order);
  return order;
}

// Twiddle factors, pass after pass, [quarter][3 powers][re, im] each. They are
// computed in double precision.
inline std::vector<float> transform_twiddles(int size) {
  std::vector<float> twiddles;
  for (int length = size / 2; length >= 4; length /= 4) {
    for (int p = 0; p < length / 4; p++) {
      for (int power = 1; power <= 3; power++) {
        twiddles.push_back(static_cast<float>(std::cos(-2 * kPi * p * power / length)));
        twiddles.push_back(static_cast<float>(std::sin(-2 * kPi * p * power / length)));
      }
    }
  }
  return twiddles;
}

// [bins][2]: cosine and −sine of 2πk / size
inline std::vector<float> transform_turns(int size, int bins) {
  std::vector<float> turns;
  for (int k = 0; k < bins; k++) {
    turns.push_back(static_cast<float>(std::cos(2 * kPi * k / size)));
    turns.push_back(static_cast<float>(-std::sin(2 * kPi * k / size)));
  }
  return turns;
}

}  // namespace earshot
