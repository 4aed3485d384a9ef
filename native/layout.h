// Helpers to split work and to transpose matrices.
#pragma once

#include <algorithm>
#include <cstddef>

namespace earshot {

// Number of parts of at most `size` that `whole` is split into.
inline int parts(int whole, int size) { return (whole + size - 1) / size; }

// Transposes `from` [rows][columns] into `to` [columns][rows].
inline void transpose(const float* from, int rows, int columns, float* to) {
  constexpr int kBlock = 16;
  for (int start = 0; start < rows; start += kBlock) {
    const int end = std::min(rows, start + kBlock);
    for (int column = 0; column < columns; column++) {
      for (int row = start; row < end; row++) {
        to[static_cast<size_t>(column) * rows + row] = from[static_cast<size_t>(row) * columns + column];
      }
    }
  }
}

}  // namespace earshot
