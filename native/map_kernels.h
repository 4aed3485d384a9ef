// Kernels for the two-dimensional convolutions and batch norms of the small encoder's network, as a
// table for each instruction set. A map is [row][column][channel]; its channels are padded with zeros to a multiple of
// kChannelStep. All strides are in floats. Memory needs no alignment beyond that of floats.
#pragma once

#include <cstddef>

namespace earshot {

// Lanes of the widest vector, so that channels are whole vectors on every instruction set.
constexpr int kChannelStep = 16;

constexpr int padded_channels(int channels) { return (channels + kChannelStep - 1) / kChannelStep * kChannelStep; }

// A convolution with the kernel [tap_rows][tap_columns][in][out], where `out` is a multiple of
// kChannelStep. The zero padding of the input is part of its memory.
struct Convolution {
  int rows, columns;  // of the output
  int tap_rows, tap_columns, in, out;
  long row, column;          // strides in the input from one output to the next
  long tap_row, tap_column;  // strides in the input from one tap to the next
  long out_row, out_column;  // strides in the output
};

// Batch norm of a map without padding around it, z = (x − mean) · factor + shift, optionally followed by
// ReLU and 2 × 2 max-pooling. `mean`, `factor` and `shift` are [channels].
struct MapNorm {
  int rows, columns, channels;  // before pooling
  bool relu, pooled;
  const float *mean, *factor, *shift;

  int out_rows() const { return pooled ? rows / 2 : rows; }
  int out_columns() const { return pooled ? columns / 2 : columns; }
};

// Gradient through a norm with the batch's statistics: dx = factor · dz − offset − slope · (x − mean).
struct NormGradient {
  const float *offset, *slope;
};

// A 3 × 3 convolution with ReLU, and max-pooling if `pooled`, computed in tiles of 2 × 2 outputs. Each
// of a tile's 16 values is in a matrix [tile][channel] of its own; these are `in_step` and `out_step`
// apart.
struct WinogradTiles {
  int rows, columns;  // number of tiles
  int map_rows;       // rows of the output from here on; the last tiles may reach one row beyond
  int in, out;        // channels, multiples of kChannelStep
  bool pooled;
  long row;           // stride in the input from one row to the next
  long in_step, out_step;
  long out_row, out_column;
};

struct MapKernels {
  // Computes a convolution; the output is overwritten.
  void (*convolve)(const Convolution&, const float* input, const float* kernel, float* output);
  // Transforms the padded input into the 16 values of every tile; and the 16 products of every tile into
  // the outputs.
  void (*winograd_input)(const WinogradTiles&, const float* input, float* values);
  void (*winograd_output)(const WinogradTiles&, const float* products, const float* bias, float* output);
  // Adds the kernel's gradient to `gradient`, laid out as the kernel.
  void (*kernel_gradient)(const Convolution&, const float* input, const float* d_output, float* gradient);
  // Computes the mean of each channel, and the sum of squared differences from it, over `positions`.
  void (*moments)(const float* map, int positions, int channels, float* mean, float* squares);
  // Applies a norm, with ReLU and pooling as it says.
  // @param output first element of the result; the strides are those of the result
  void (*normalise)(const MapNorm&, const float* map, float* output, long out_row, long out_column);
  // Computes Σ dz of each channel, then Σ dz · (x − mean) of each channel, from the gradient of the
  // result.
  // @param d_result [out_rows][out_columns][channels]
  // @param sums [2][channels]
  void (*gradient_sums)(const MapNorm&, const float* map, const float* d_result, float* sums);
  // Computes the gradient of the map, with the strides `d_row` and `d_column`.
  void (*norm_gradient)(const MapNorm&, const NormGradient&, const float* map, const float* d_result, float* d_map,
                        long d_row, long d_column);
};

}  // namespace earshot
