// Convolution with stride 2, pooling, bias and ReLU of a trunk block, in registers. The receptive field
// of a position is contiguous in memory (rows of all channels), so the convolution is a matrix product
// whose rows overlap.
#pragma once

#include "../trunk_kernels.h"
#include "vec.h"

namespace earshot::EARSHOT_ISA {

// A register tile: `positions` convolution outputs of `vecs` vectors of channels each.
template <int kOut>
struct ConvTile {
  static constexpr int channel_vecs = kOut / kLanes;
  static constexpr int max_vecs = kRegisters == 32 ? 4 : 2;
  static constexpr int vecs = channel_vecs < max_vecs ? channel_vecs : max_vecs;
  static constexpr int positions = (kRegisters == 32 ? 24 : 12) / vecs;
  static constexpr int rows = positions / 2;
  static_assert(channel_vecs % vecs == 0);
};

// The number of rows is rounded up to a multiple of this, which every tile's number of rows divides.
constexpr int kRowStep = 12;

// Computes the pooled rows [0, rows). `rows` is rounded up to kRowStep: `output` and `winners` must have
// room for these rows, and their inputs must be readable.
// @param input [row][kIn], beginning with the receptive field of the first position; that of pooled row
//   j begins at row 4 j − 2 of the block's input
// @param weights [kTaps × kIn][kOut]
// @param output [rows][kOut], overwritten
// @param winners null, or a word for each row: bit c is set where the second position is the larger one
template <int kTaps, int kIn, int kOut>
EARSHOT_INLINE void convolve_pool(const float* input, const float* weights, const float* bias, int rows, float* output,
                                  uint64_t* winners) {
  using Tile = ConvTile<kOut>;
  constexpr int kDepth = kTaps * kIn;
  constexpr int kStride = 2 * kIn;
  for (int row = 0; row < rows; row += Tile::rows) {
    const float* field = input + static_cast<long>(row) * 2 * kStride;
    for (int group = 0; group < Tile::channel_vecs; group += Tile::vecs) {
      Vec sums[Tile::positions][Tile::vecs] = {};
      const float* column = weights + group * kLanes;
#pragma GCC unroll 1
      for (int k = 0; k < kDepth; k++) {
        Vec w[Tile::vecs];
#pragma GCC unroll 8
        for (int v = 0; v < Tile::vecs; v++) w[v] = load(column + k * kOut + v * kLanes);
#pragma GCC unroll 32
        for (int p = 0; p < Tile::positions; p++) {
          const Vec x = splat(field[p * kStride + k]);
#pragma GCC unroll 8
          for (int v = 0; v < Tile::vecs; v++) sums[p][v] = fma(x, w[v], sums[p][v]);
        }
      }
#pragma GCC unroll 16
      for (int r = 0; r < Tile::rows; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < Tile::vecs; v++) {
          const int channel = (group + v) * kLanes;
          const Vec first = sums[2 * r][v], second = sums[2 * r + 1][v];
          // max(relu(x + b)) = relu(max(x) + b), because ReLU is monotone.
          store(output + (row + r) * kOut + channel, relu(max(first, second) + load(bias + channel)));
          if (winners != nullptr) {
            const uint64_t bits = static_cast<uint64_t>(to_bits(second > first)) << channel;
            winners[row + r] = channel == 0 ? bits : winners[row + r] | bits;
          }
        }
      }
    }
  }
}

}  // namespace earshot::EARSHOT_ISA
