#include "small_net_picture.h"

#include <algorithm>
#include <cmath>

namespace earshot {

namespace {

constexpr int kHeadLayer = kSmallLayers - 1;
constexpr float kMinVariance = 1e-4f;  // shared/compute/network/small-network.ts

}  // namespace

SmallTape::SmallTape(const SmallPlan& plan) : result(plan.layers[kHeadLayer].result_floats()) {
  for (const SmallLayer& layer : plan.layers) {
    inputs.emplace_back(layer.input_floats);
    maps.emplace_back(layer.map_floats());
  }
}

void pack_forward(const SmallLayer& layer, const float* kernel, float* packed) {
  for (int row = 0; row < layer.kernel_rows; row++) {
    std::copy_n(kernel + static_cast<size_t>(row) * static_cast<size_t>(layer.out), layer.out,
                packed + static_cast<size_t>(row) * static_cast<size_t>(layer.padded_out));
  }
}

void run_layer(const SmallPass& pass, int layer, const float* picture, SmallTape& tape) {
  const size_t at = static_cast<size_t>(layer);
  const SmallLayer& is = pass.plan.layers[at];
  float* inside = tape.inputs[at].data() + is.input_start;
  if (layer == 0) {
    pass.kernels.normalise(pass.input_norm(), picture, inside, is.input_row, 0);
  } else {
    pass.kernels.normalise(pass.layer_norm(layer - 1), tape.maps[at - 1].data(), inside, is.input_row, is.input_column);
  }
  pass.kernels.convolve(is.forward, tape.inputs[at].data(), pass.packed[at].data(), tape.maps[at].data());
}

void over_time(const MapKernels& kernels, const MapNorm& norm, const float* map, float* result, float* statistics) {
  const int channels = norm.channels;
  kernels.normalise(norm, map, result, channels, 0);
  float* means = statistics;
  float* highest = means + channels;
  float* deviations = highest + channels;
  kernels.moments(result, norm.rows, channels, means, deviations);
  const float frames = static_cast<float>(norm.rows);
  for (int c = 0; c < channels; c++) deviations[c] = std::sqrt(deviations[c] / frames + kMinVariance);
  std::copy_n(result, channels, highest);
  for (int t = 1; t < norm.rows; t++) {
    const float* row = result + static_cast<size_t>(t) * static_cast<size_t>(channels);
    for (int c = 0; c < channels; c++) highest[c] = row[c] > highest[c] ? row[c] : highest[c];
  }
}

void over_time_backward(const SmallPlan& plan, const SmallTape& tape, const float* statistics, const float* d_statistics,
                        float* d_result) {
  const SmallLayer& head = plan.layers[kHeadLayer];
  const int channels = head.out;
  const float share = 1 / static_cast<float>(head.rows);
  const float *means = statistics, *highest = means + channels, *deviations = highest + channels;
  const float *d_means = d_statistics, *d_highest = d_means + channels, *d_deviations = d_highest + channels;
  for (int t = 0; t < head.rows; t++) {
    const float* row = tape.result.data() + static_cast<size_t>(t) * static_cast<size_t>(channels);
    float* d_row = d_result + static_cast<size_t>(t) * static_cast<size_t>(channels);
    for (int c = 0; c < channels; c++) {
      // Every frame that equals the maximum gets the whole gradient, as in TensorFlow.js.
      const float d_max = row[c] == highest[c] ? d_highest[c] : 0;
      d_row[c] = share * (d_means[c] + d_deviations[c] * (row[c] - means[c]) / deviations[c]) + d_max;
    }
  }
}

void add_fields(const SmallPlan& plan, const float* fields, float* d_picture) {
  const SmallLayer& first = plan.layers[0];
  const int taps = first.forward.tap_rows;
  const long position = first.backward.out_column;
  std::fill_n(d_picture, static_cast<size_t>(plan.frames) * kSmallBands, 0.0f);
  for (int row = 0; row < first.rows; row++) {
    for (int i = 0; i < taps; i++) {
      const int frame = 2 * row + i - taps / 2;
      if (frame < 0 || frame >= plan.frames) continue;
      float* to = d_picture + static_cast<size_t>(frame) * kSmallBands;
      const float* from = fields + row * first.backward.out_row + i * taps;
      for (int column = 0; column < first.columns; column++, from += position) {
        for (int j = 0; j < taps; j++) {
          const int band = 2 * column + j - taps / 2;
          if (band >= 0 && band < kSmallBands) to[band] += from[j];
        }
      }
    }
  }
}

}  // namespace earshot
