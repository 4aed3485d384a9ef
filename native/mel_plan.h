// The layers of `mel` (shared/compute/network/mel.ts) for inputs of so many frames: shapes, and where all lies in memory.
#pragma once

#include <array>
#include <vector>

#include "map_kernels.h"

namespace earshot {

constexpr int kMelBins = 64;
constexpr int kMelLayers = 7;
// Of which the three poolings leave one.
constexpr int kFewestFrames = 15;

struct MelSize {
  int width;  // channels of the first convolutions: a multiple of 4, of which four are a multiple of kChannelStep
  int head;   // of the last one: a multiple of kChannelStep
  int classes;

  int statistics() const { return 3 * head; }
};

// A batch norm's parameters, as places in the network's values.
struct NormPlace {
  size_t scale, shift, mean, variance;
  int channels;
};

// A convolution with the norm behind it.
struct MelLayer {
  int rows, columns;    // of its output before the pool: frames × mel bins
  int in, out;          // channels; `in` as the convolution sees them
  int padded_in, padded_out;
  bool pooled;
  Convolution forward;   // from the input, zeros around it, to the dense map
  Convolution backward;  // from the map's gradient, zeros around it, to the dense input's
  size_t input_floats, gradient_floats;  // with the zeros around them
  long input_start;      // of the first element inside the zeros, and the steps from there
  long input_row, input_column;
  long gradient_start;
  // From a row of the gradient with zeros around it to the next.
  long d_row() const { return columns == 1 ? padded_out : backward.row; }
  int kernel_rows;       // taps × in: rows of `out` values
  size_t kernel_floats() const { return floats(kernel_rows, padded_out); }
  size_t backward_floats() const { return floats(backward.tap_rows * backward.tap_columns * backward.in, backward.out); }
  size_t map_floats() const { return floats(rows * columns, padded_out); }
  int out_rows() const { return pooled ? rows / 2 : rows; }
  int out_columns() const { return pooled ? columns / 2 : columns; }
  size_t result_floats() const { return floats(out_rows() * out_columns(), padded_out); }

 private:
  static size_t floats(int rows, int each) { return static_cast<size_t>(rows) * static_cast<size_t>(each); }
};

// The parameters in their order: what does not depend on the number of frames.
struct MelParameters {
  explicit MelParameters(const MelSize& size);

  std::vector<size_t> sizes;  // of the tensors
  NormPlace input_norm;
  std::array<size_t, kMelLayers> kernels;
  std::array<NormPlace, kMelLayers> norms;
  size_t dense_kernel, dense_bias;
};

struct MelPlan {
  MelPlan(const MelSize& size, int frames);

  int frames;
  std::array<MelLayer, kMelLayers> layers;
};

}  // namespace earshot
