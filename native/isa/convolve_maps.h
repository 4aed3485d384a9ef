// Convolution of maps as a matrix product in registers, and the gradient of its kernel.
#pragma once

#include "../map_kernels.h"
#include "vec.h"

namespace earshot::EARSHOT_ISA {

// A register tile: positions (or input channels) times vectors of output channels.
constexpr int kTileSide = kRegisters == 32 ? 8 : 4;
constexpr int kTileVecs = 3;
// Positions whose input and gradient stay in the first-level cache while all parts of a kernel pass over them.
constexpr int kGradientPositions = 128;

// kPositions neighbouring outputs of kVecs vectors of channels.
template <int kPositions, int kVecs>
EARSHOT_INLINE void convolve_tile(const Convolution& is, const float* input, const float* kernel, float* output) {
  Vec sums[kPositions][kVecs] = {};
  for (int i = 0; i < is.tap_rows; i++) {
    for (int j = 0; j < is.tap_columns; j++) {
      const float* field = input + i * is.tap_row + j * is.tap_column;
#pragma GCC unroll 1
      for (int k = 0; k < is.in; k++, kernel += is.out) {
        Vec w[kVecs];
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; v++) w[v] = load(kernel + v * kLanes);
#pragma GCC unroll 8
        for (int p = 0; p < kPositions; p++) {
          const Vec x = splat(field[p * is.column + k]);
#pragma GCC unroll 4
          for (int v = 0; v < kVecs; v++) sums[p][v] = fma(x, w[v], sums[p][v]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < kPositions; p++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) store(output + p * is.out_column + v * kLanes, sums[p][v]);
  }
}

template <int kVecs>
static inline __attribute__((noinline)) void convolve_group(const Convolution& is, const float* input,
                                                            const float* kernel, float* output) {
  for (int row = 0; row < is.rows; row++) {
    const float* from = input + row * is.row;
    float* to = output + row * is.out_row;
    int column = 0;
    for (; column + kTileSide <= is.columns; column += kTileSide) {
      convolve_tile<kTileSide, kVecs>(is, from + column * is.column, kernel, to + column * is.out_column);
    }
    for (; column < is.columns; column++) {
      convolve_tile<1, kVecs>(is, from + column * is.column, kernel, to + column * is.out_column);
    }
  }
}

static void convolve(const Convolution& is, const float* input, const float* kernel, float* output) {
  const int vecs = is.out / kLanes;
  for (int first = 0; first < vecs;) {
    const int rest = vecs - first, at = first * kLanes;
    // Four are two pairs: a single vector would leave most of the registers empty.
    const int taken = rest == 4 ? 2 : rest < kTileVecs ? rest : kTileVecs;
    if (taken == 3) convolve_group<3>(is, input, kernel + at, output + at);
    if (taken == 2) convolve_group<2>(is, input, kernel + at, output + at);
    if (taken == 1) convolve_group<1>(is, input, kernel + at, output + at);
    first += taken;
  }
}

// Rows [first, last) of the output: their part in the gradient of kIn input channels × kVecs vectors at one tap.
template <int kIn, int kVecs>
EARSHOT_INLINE void gradient_tile(const Convolution& is, int first, int last, const float* input, const float* d_output,
                                  float* gradient) {
  Vec sums[kIn][kVecs];
#pragma GCC unroll 8
  for (int k = 0; k < kIn; k++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) sums[k][v] = load(gradient + k * is.out + v * kLanes);
  }
  for (int row = first; row < last; row++) {
    const float* x = input + row * is.row;
    const float* d = d_output + row * is.out_row;
#pragma GCC unroll 1
    for (int column = 0; column < is.columns; column++, x += is.column, d += is.out_column) {
      Vec dy[kVecs];
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; v++) dy[v] = load(d + v * kLanes);
#pragma GCC unroll 8
      for (int k = 0; k < kIn; k++) {
        const Vec value = splat(x[k]);
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; v++) sums[k][v] = fma(value, dy[v], sums[k][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < kIn; k++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) store(gradient + k * is.out + v * kLanes, sums[k][v]);
  }
}

template <int kVecs>
static inline __attribute__((noinline)) void gradient_group(const Convolution& is, int first, int last,
                                                            const float* input, const float* d_output,
                                                            float* gradient) {
  int k = 0;
  for (; k + kTileSide <= is.in; k += kTileSide) {
    gradient_tile<kTileSide, kVecs>(is, first, last, input + k, d_output, gradient + k * is.out);
  }
  for (; k < is.in; k++) gradient_tile<1, kVecs>(is, first, last, input + k, d_output, gradient + k * is.out);
}

static void kernel_gradient(const Convolution& is, const float* input, const float* d_output, float* gradient) {
  const int at_once = is.columns < kGradientPositions ? kGradientPositions / is.columns : 1;
  const int vecs = is.out / kLanes;
  for (int row = 0; row < is.rows; row += at_once) {
    const int last = row + at_once < is.rows ? row + at_once : is.rows;
    for (int tap = 0; tap < is.tap_rows * is.tap_columns; tap++) {
      const float* field = input + tap / is.tap_columns * is.tap_row + tap % is.tap_columns * is.tap_column;
      for (int first = 0; first < vecs;) {
        const int rest = vecs - first, at = first * kLanes;
        const int taken = rest == 4 ? 2 : rest < kTileVecs ? rest : kTileVecs;
        float* to = gradient + static_cast<long>(tap) * is.in * is.out + at;
        if (taken == 3) gradient_group<3>(is, row, last, field, d_output + at, to);
        if (taken == 2) gradient_group<2>(is, row, last, field, d_output + at, to);
        if (taken == 1) gradient_group<1>(is, row, last, field, d_output + at, to);
        first += taken;
      }
    }
  }
}

}  // namespace earshot::EARSHOT_ISA
