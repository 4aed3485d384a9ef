// Shapes and memory layouts of the layers of the small encoder's network
// (shared/compute/network/small-network.ts), for pictures of a given number of frames.
#pragma once

#include <array>
#include <vector>

#include "map_kernels.h"

namespace earshot {

constexpr int kSmallBands = 64;
constexpr int kSmallLayers = 7;
// Least number of frames: one is left after conv1's stride of 2 and three poolings.
constexpr int kFewestFrames = 15;

struct SmallSize {
  int width;  // channels of the first convolutions; 4 · width must be a multiple of kChannelStep
  int head;   // channels of the last one; a multiple of kChannelStep
  int outputs;

  int statistics() const { return 3 * head; }
};

// Offsets of a batch norm's parameters in the network's values.
struct NormPlace {
  size_t scale, shift, mean, variance;
  int channels;
};

// A convolution, followed by a norm.
struct SmallLayer {
  int rows, columns;    // of its output before the pool: frames × bands
  int in, out;          // channels, `in` as the convolution counts them (see small_net_plan.cc)
  int padded_in, padded_out;
  bool pooled;
  Convolution forward;   // from the padded input to the map
  Convolution backward;  // from the padded gradient of the map to the gradient of the input
  size_t input_floats, gradient_floats;  // including the padding
  long input_start;      // offset of the first element inside the padding, and the strides from there
  long input_row, input_column;
  long gradient_start;
  // Stride from a row of the padded gradient to the next.
  long d_row() const { return columns == 1 ? padded_out : backward.row; }
  int kernel_rows;       // taps × in; each row has `out` values
  size_t kernel_floats() const { return floats(kernel_rows, padded_out); }
  size_t backward_floats() const { return floats(backward.tap_rows * backward.tap_columns * backward.in, backward.out); }
  size_t map_floats() const { return floats(rows * columns, padded_out); }
  int out_rows() const { return pooled ? rows / 2 : rows; }
  int out_columns() const { return pooled ? columns / 2 : columns; }
  size_t result_floats() const { return floats(out_rows() * out_columns(), padded_out); }

 private:
  static size_t floats(int rows, int each) { return static_cast<size_t>(rows) * static_cast<size_t>(each); }
};

// Offsets and sizes of all parameters; they do not depend on the number of frames.
struct SmallParameters {
  explicit SmallParameters(const SmallSize& size);

  std::vector<size_t> sizes;  // of the tensors
  NormPlace input_norm;
  std::array<size_t, kSmallLayers> kernels;
  std::array<NormPlace, kSmallLayers> norms;
  size_t dense_kernel, dense_bias;
};

struct SmallPlan {
  SmallPlan(const SmallSize& size, int frames);

  int frames;
  std::array<SmallLayer, kSmallLayers> layers;
};

}  // namespace earshot
