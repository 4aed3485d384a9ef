// 3 × 3 convolutions by Winograd's F(2 × 2, 3 × 3) (Lavin and Gray 2016): 16 products instead of 36 for
// a tile of 2 × 2 outputs, which is also the pooling window. The products are computed by `convolve`
// with a 1 × 1 kernel.
#pragma once

#include "../map_kernels.h"
#include "vec.h"

namespace earshot::EARSHOT_ISA {

EARSHOT_INLINE void across_input(const Vec* d, Vec* to) {
  to[0] = d[0] - d[2];
  to[1] = d[1] + d[2];
  to[2] = d[2] - d[1];
  to[3] = d[1] - d[3];
}

// Loads and transforms a column of a tile, which has four rows.
EARSHOT_INLINE void input_column(const float* from, long row, Vec* column) {
  const Vec d[4] = {load(from), load(from + row), load(from + 2 * row), load(from + 3 * row)};
  across_input(d, column);
}

static void winograd_input(const WinogradTiles& tiles, const float* input, float* products) {
  for (int channel = 0; channel < tiles.in; channel += kLanes) {
    float* to = products + channel;
    for (int r = 0; r < tiles.rows; r++) {
      const float* from = input + 2 * r * tiles.row + channel;
      // Neighbouring tiles share two of their columns.
      Vec columns[4][4];
      input_column(from, tiles.row, columns[0]);
      input_column(from + tiles.in, tiles.row, columns[1]);
      for (int c = 0; c < tiles.columns; c++, to += tiles.in) {
        from += 2 * tiles.in;
        input_column(from, tiles.row, columns[2]);
        input_column(from + tiles.in, tiles.row, columns[3]);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
          const Vec d[4] = {columns[0][i], columns[1][i], columns[2][i], columns[3][i]};
          Vec transformed[4];
          across_input(d, transformed);
#pragma GCC unroll 4
          for (int j = 0; j < 4; j++) store(to + (4 * i + j) * tiles.in_step, transformed[j]);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
          columns[0][i] = columns[2][i];
          columns[1][i] = columns[3][i];
        }
      }
    }
  }
}

template <bool kPooled>
static inline __attribute__((always_inline)) void winograd_outputs(const WinogradTiles& tiles, const float* products,
                                                                   const float* bias, float* output) {
  for (int channel = 0; channel < tiles.out; channel += kLanes) {
    const Vec shift = load(bias + channel);
    const float* from = products + channel;
    for (int r = 0; r < tiles.rows; r++) {
      float* to = output + r * (kPooled ? 1 : 2) * tiles.out_row + channel;
      const bool whole = 2 * r + 1 < tiles.map_rows;
      for (int c = 0; c < tiles.columns; c++, from += tiles.out) {
        Vec upper[4], lower[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
          const Vec m0 = load(from + j * tiles.out_step), m1 = load(from + (4 + j) * tiles.out_step);
          const Vec m2 = load(from + (8 + j) * tiles.out_step), m3 = load(from + (12 + j) * tiles.out_step);
          upper[j] = (m0 + m1) + m2;
          lower[j] = (m1 - m2) - m3;
        }
        const Vec y00 = (upper[0] + upper[1]) + upper[2], y01 = (upper[1] - upper[2]) - upper[3];
        const Vec y10 = (lower[0] + lower[1]) + lower[2], y11 = (lower[1] - lower[2]) - lower[3];
        if (kPooled) {
          store(to, relu(max(max(y11, y10), max(y01, y00)) + shift));
          to += tiles.out_column;
        } else {
          store(to, relu(y00 + shift));
          store(to + tiles.out_column, relu(y01 + shift));
          if (whole) {
            store(to + tiles.out_row, relu(y10 + shift));
            store(to + tiles.out_row + tiles.out_column, relu(y11 + shift));
          }
          to += 2 * tiles.out_column;
        }
      }
    }
  }
}

static void winograd_output(const WinogradTiles& tiles, const float* products, const float* bias, float* output) {
  if (tiles.pooled) winograd_outputs<true>(tiles, products, bias, output);
  else winograd_outputs<false>(tiles, products, bias, output);
}

}  // namespace earshot::EARSHOT_ISA
