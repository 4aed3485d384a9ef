// Convolution of maps as a matrix product in registers, and the gradient of its kernel. map_kernels.h
// describes the layouts.
#pragma once

#include "../map_kernels.h"
#include "vec.h"

namespace earshot::EARSHOT_ISA {

// Size of a register tile: positions (or input channels) by vectors of output channels.
constexpr int kTileSide = kRegisters == 32 ? 8 : 4;
constexpr int kTileVecs = 3;
// Number of positions whose input and gradient stay in the first-level cache for all parts of a kernel.
constexpr int kGradientPositions = 128;

// Computes kPositions neighbouring outputs of kVecs vectors of channels.
template <int kPositions, int kVecs>
EARSHOT_INLINE void convolve_tile(const Convolution& conv, const float* input, const float* kernel, float* output) {
  Vec sums[kPositions][kVecs] = {};
  for (int i = 0; i < conv.tap_rows; i++) {
    for (int j = 0; j < conv.tap_columns; j++) {
      const float* field = input + i * conv.tap_row + j * conv.tap_column;
#pragma GCC unroll 1
      for (int k = 0; k < conv.in; k++, kernel += conv.out) {
        Vec w[kVecs];
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; v++) w[v] = load(kernel + v * kLanes);
#pragma GCC unroll 8
        for (int p = 0; p < kPositions; p++) {
          const Vec x = splat(field[p * conv.column + k]);
#pragma GCC unroll 4
          for (int v = 0; v < kVecs; v++) sums[p][v] = fma(x, w[v], sums[p][v]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < kPositions; p++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) store(output + p * conv.out_column + v * kLanes, sums[p][v]);
  }
}

template <int kVecs>
static inline __attribute__((noinline)) void convolve_group(const Convolution& conv, const float* input,
                                                            const float* kernel, float* output) {
  for (int row = 0; row < conv.rows; row++) {
    const float* from = input + row * conv.row;
    float* to = output + row * conv.out_row;
    int column = 0;
    for (; column + kTileSide <= conv.columns; column += kTileSide) {
      convolve_tile<kTileSide, kVecs>(conv, from + column * conv.column, kernel, to + column * conv.out_column);
    }
    for (; column < conv.columns; column++) {
      convolve_tile<1, kVecs>(conv, from + column * conv.column, kernel, to + column * conv.out_column);
    }
  }
}

static void convolve(const Convolution& conv, const float* input, const float* kernel, float* output) {
  const int vecs = conv.out / kLanes;
  for (int first = 0; first < vecs;) {
    const int rest = vecs - first, at = first * kLanes;
    // Four vectors are computed as two pairs, since a single vector would leave most registers unused.
    const int taken = rest == 4 ? 2 : rest < kTileVecs ? rest : kTileVecs;
    if (taken == 3) convolve_group<3>(conv, input, kernel + at, output + at);
    if (taken == 2) convolve_group<2>(conv, input, kernel + at, output + at);
    if (taken == 1) convolve_group<1>(conv, input, kernel + at, output + at);
    first += taken;
  }
}

// Adds the part of output rows [first, last) to the gradient of kIn input channels × kVecs vectors at
// one tap.
template <int kIn, int kVecs>
EARSHOT_INLINE void gradient_tile(const Convolution& conv, int first, int last, const float* input, const float* d_output,
                                  float* gradient) {
  Vec sums[kIn][kVecs];
#pragma GCC unroll 8
  for (int k = 0; k < kIn; k++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) sums[k][v] = load(gradient + k * conv.out + v * kLanes);
  }
  for (int row = first; row < last; row++) {
    const float* x = input + row * conv.row;
    const float* d = d_output + row * conv.out_row;
#pragma GCC unroll 1
    for (int column = 0; column < conv.columns; column++, x += conv.column, d += conv.out_column) {
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
    for (int v = 0; v < kVecs; v++) store(gradient + k * conv.out + v * kLanes, sums[k][v]);
  }
}

template <int kVecs>
static inline __attribute__((noinline)) void gradient_group(const Convolution& conv, int first, int last,
                                                            const float* input, const float* d_output,
                                                            float* gradient) {
  int k = 0;
  for (; k + kTileSide <= conv.in; k += kTileSide) {
    gradient_tile<kTileSide, kVecs>(conv, first, last, input + k, d_output, gradient + k * conv.out);
  }
  for (; k < conv.in; k++) gradient_tile<1, kVecs>(conv, first, last, input + k, d_output, gradient + k * conv.out);
}

static void kernel_gradient(const Convolution& conv, const float* input, const float* d_output, float* gradient) {
  const int at_once = conv.columns < kGradientPositions ? kGradientPositions / conv.columns : 1;
  const int vecs = conv.out / kLanes;
  for (int row = 0; row < conv.rows; row += at_once) {
    const int last = row + at_once < conv.rows ? row + at_once : conv.rows;
    for (int tap = 0; tap < conv.tap_rows * conv.tap_columns; tap++) {
      const float* field = input + tap / conv.tap_columns * conv.tap_row + tap % conv.tap_columns * conv.tap_column;
      for (int first = 0; first < vecs;) {
        const int rest = vecs - first, at = first * kLanes;
        const int taken = rest == 4 ? 2 : rest < kTileVecs ? rest : kTileVecs;
        float* to = gradient + static_cast<long>(tap) * conv.in * conv.out + at;
        if (taken == 3) gradient_group<3>(conv, row, last, field, d_output + at, to);
        if (taken == 2) gradient_group<2>(conv, row, last, field, d_output + at, to);
        if (taken == 1) gradient_group<1>(conv, row, last, field, d_output + at, to);
        first += taken;
      }
    }
  }
}

}  // namespace earshot::EARSHOT_ISA
