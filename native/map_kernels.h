// Two-dimensional convolutions and batch norm: what an instruction set offers to `mel`. A map is [row][column][channel],
// its channels rounded up to kChannelStep with zeros; steps are in floats.
#pragma once

#include <cstddef>

namespace earshot {

// The widest vector: with it no channel is a tail on any instruction set.
constexpr int kChannelStep = 16;

constexpr int padded_channels(int channels) { return (channels + kChannelStep - 1) / kChannelStep * kChannelStep; }

// Kernel [tap_rows][tap_columns][in][out], `out` a multiple of kChannelStep. Zeros around the input are part of its memory.
struct Convolution {
  int rows, columns;  // of the output
  int tap_rows, tap_columns, in, out;
  long row, column;          // in the input, from one output to the next
  long tap_row, tap_column;  // in the input, from one tap to the next
  long out_row, out_column;
};

// Batch norm of a dense map, z = (x − mean) · factor + shift, then ReLU and the largest of 2 × 2 where they follow.
struct MapNorm {
  int rows, columns, channels;  // before the pool
  bool relu, pooled;
  const float *mean, *factor, *shift;

  int out_rows() const { return pooled ? rows / 2 : rows; }
  int out_columns() const { return pooled ? columns / 2 : columns; }
};

// dx = factor · dz − offset − slope · (x − mean): what the batch's own statistics make of dz.
struct NormGradient {
  const float *offset, *slope;
};

// Tiles of 2 × 2 outputs of a 3 × 3 convolution with ReLU and, perhaps, the largest of each tile behind it. A tile's 16
// values lie `in_step` and `out_step` apart, [tile][channel] each.
struct WinogradTiles {
  int rows, columns;  // tiles
  int map_rows;       // of the output from here on: half of the last tiles may lie beyond
  int in, out;        // channels, multiples of kChannelStep
  bool pooled;
  long row;           // in the input, from one row to the next
  long in_step, out_step;
  long out_row, out_column;
};

struct MapKernels {
  void (*convolve)(const Convolution&, const float* input, const float* kernel, float* output);
  // The 16 values of every tile, out of the input with its zeros around it; and the outputs out of their 16 products.
  void (*winograd_input)(const WinogradTiles&, const float* input, float* values);
  void (*winograd_output)(const WinogradTiles&, const float* products, const float* bias, float* output);
  // Adds to `gradient`, laid out as the kernel.
  void (*kernel_gradient)(const Convolution&, const float* input, const float* d_output, float* gradient);
  // Mean of each channel, and the sum of squares around it.
  void (*moments)(const float* map, int positions, int channels, float* mean, float* squares);
  // @param output its first element; the steps are of the pooled map
  void (*normalise)(const MapNorm&, const float* map, float* output, long out_row, long out_column);
  // For each channel Σ dz, then Σ dz · (x − mean), from the gradient of the result (dense).
  void (*gradient_sums)(const MapNorm&, const float* map, const float* d_result, float* sums);
  // The gradient of the map.
  void (*norm_gradient)(const MapNorm&, const NormGradient&, const float* map, const float* d_result, float* d_map,
                        long d_row, long d_column);
};

}  // namespace earshot
