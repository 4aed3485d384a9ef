#include "small_net_plan.h"

namespace earshot {

namespace {

constexpr int kTaps1 = 5;  // conv1: 5 × 5, stride 2
constexpr int kTaps = 3;
constexpr int kHeadBands = 4;

// conv1 has one input channel. Its five taps along the bands are contiguous and count as input channels.
SmallLayer first_layer(int frames, int width) {
  SmallLayer layer{};
  const long row = kSmallBands + kTaps1 - 1;
  layer.rows = (frames - 1) / 2 + 1;
  layer.columns = kSmallBands / 2;
  layer.in = layer.padded_in = kTaps1;
  layer.out = width;
  layer.padded_out = padded_channels(width);
  layer.kernel_rows = kTaps1 * kTaps1;
  layer.forward = {layer.rows, layer.columns, kTaps1, 1, kTaps1, layer.padded_out, 2 * row, 2, row, 0,
                   static_cast<long>(layer.columns) * layer.padded_out, layer.padded_out};
  // Computes the gradients of each position's 25 inputs. Positions overlap; add_fields adds the
  // gradients up.
  const int inputs = padded_channels(kTaps1 * kTaps1);
  const long gradient_row = static_cast<long>(layer.columns) * layer.padded_out;
  layer.backward = {layer.rows, layer.columns, 1, 1, width, inputs, gradient_row, layer.padded_out, 0, 0,
                    static_cast<long>(layer.columns) * inputs, inputs};
  // With an even number of frames the last row of padding is not read.
  layer.input_floats = static_cast<size_t>((frames + kTaps1 - 1) * row);
  layer.input_start = 2 * row + 2;
  layer.input_row = row;
  layer.input_column = 1;
  layer.gradient_floats = layer.map_floats();
  return layer;
}

SmallLayer plain_layer(int rows, int columns, int in, int out, bool pooled) {
  SmallLayer layer{};
  layer.rows = rows;
  layer.columns = columns;
  layer.in = in;
  layer.out = out;
  layer.padded_in = padded_channels(in);
  layer.padded_out = padded_channels(out);
  layer.pooled = pooled;
  layer.kernel_rows = kTaps * kTaps * in;
  const auto convolution = [&](int from, int padded_from, int padded_to) {
    const long row = static_cast<long>(columns + 2) * padded_from;
    return Convolution{rows, columns, kTaps, kTaps, from, padded_to, row, padded_from, row, padded_from,
                       static_cast<long>(columns) * padded_to, padded_to};
  };
  layer.forward = convolution(in, layer.padded_in, layer.padded_out);
  layer.backward = convolution(out, layer.padded_out, layer.padded_in);
  layer.input_floats = static_cast<size_t>((rows + 2) * layer.forward.row);
  layer.gradient_floats = static_cast<size_t>((rows + 2) * layer.backward.row);
  layer.input_start = layer.forward.row + layer.padded_in;
  layer.input_row = layer.forward.row;
  layer.input_column = layer.padded_in;
  layer.gradient_start = layer.backward.row + layer.padded_out;
  return layer;
}

// The head's kernel spans all bands: its positions are the frames, and its input channels bands ×
// channels.
SmallLayer head_layer(int frames, int channels, int out) {
  SmallLayer layer{};
  layer.rows = frames;
  layer.columns = 1;
  layer.in = layer.padded_in = kHeadBands * channels;
  layer.out = layer.padded_out = out;
  layer.kernel_rows = kTaps * layer.in;
  const auto convolution = [&](int from, int to) {
    return Convolution{1, frames, kTaps, 1, from, to, 0, from, from, 0, 0, to};
  };
  layer.forward = convolution(layer.in, out);
  layer.backward = convolution(out, layer.in);
  layer.input_floats = static_cast<size_t>(frames + 2) * static_cast<size_t>(layer.in);
  layer.gradient_floats = static_cast<size_t>(frames + 2) * static_cast<size_t>(out);
  layer.input_start = layer.in;
  layer.input_row = layer.in;
  layer.input_column = channels;
  layer.gradient_start = out;
  return layer;
}

std::array<SmallLayer, kSmallLayers> layers_of(const SmallSize& size, int frames) {
  const int w = size.width;
  const int first = (frames - 1) / 2 + 1;
  return {first_layer(frames, w),
          plain_layer(first, 32, w, w, true),
          plain_layer(first / 2, 16, w, 2 * w, false),
          plain_layer(first / 2, 16, 2 * w, 2 * w, true),
          plain_layer(first / 4, 8, 2 * w, 4 * w, false),
          plain_layer(first / 4, 8, 4 * w, 4 * w, true),
          head_layer(first / 8, 4 * w, size.head)};
}

}  // namespace

SmallParameters::SmallParameters(const SmallSize& size) {
  size_t at = 0;
  const auto tensor = [&](size_t length) {
    sizes.push_back(length);
    at += length;
    return at - length;
  };
  const auto norm = [&](int channels) {
    const size_t length = static_cast<size_t>(channels);
    // Separate statements fix the order of the tensors.
    const size_t scale = tensor(length), shift = tensor(length), mean = tensor(length), variance = tensor(length);
    return NormPlace{scale, shift, mean, variance, channels};
  };
  input_norm = norm(kSmallBands);
  const auto layers = layers_of(size, kFewestFrames);
  for (int i = 0; i < kSmallLayers; i++) {
    const size_t at_layer = static_cast<size_t>(i);
    kernels[at_layer] = tensor(static_cast<size_t>(layers[at_layer].kernel_rows) * static_cast<size_t>(layers[at_layer].out));
    norms[at_layer] = norm(layers[at_layer].out);
  }
  const size_t outputs = static_cast<size_t>(size.outputs);
  dense_kernel = tensor(static_cast<size_t>(size.statistics()) * outputs);
  dense_bias = tensor(outputs);
}

SmallPlan::SmallPlan(const SmallSize& size, int frames) : frames(frames), layers(layers_of(size, frames)) {}

}  // namespace earshot
