// Forward and backward steps of the small encoder's network for one picture, layer by layer.
#pragma once

#include "kernels.h"
#include "small_net_norm.h"

namespace earshot {

// Norms and kernels, which all pictures of a pass share. `norms[0]` is the input's norm, and `norms[i + 1]`
// that of layer i.
struct SmallPass {
  const MapKernels& kernels;
  const SmallPlan& plan;
  const std::vector<SmallNorm>& norms;
  const std::vector<AlignedArray<float>>& packed;  // forward kernels, [kernel_rows][padded_out]

  MapNorm input_norm() const { return norms[0].over(plan.frames, 1, false, false); }
  MapNorm layer_norm(int layer) const {
    const SmallLayer& is = plan.layers[static_cast<size_t>(layer)];
    return norms[static_cast<size_t>(layer) + 1].over(is.rows, is.columns, true, is.pooled);
  }
};

// A picture's values in the forward pass: the input of each layer, and its map before the norm.
struct SmallTape {
  explicit SmallTape(const SmallPlan& plan);
  std::vector<AlignedArray<float>> inputs, maps;  // by layer
  AlignedArray<float> result;                     // [frames][head], after the last norm
};

// Copies a kernel [kernel_rows][out] to the padded layout [kernel_rows][padded_out] of the forward pass.
void pack_forward(const SmallLayer& layer, const float* kernel, float* packed);

// Computes a layer's input, from the picture (layer 0) or from the map before, and then its map.
void run_layer(const SmallPass& pass, int layer, const float* picture, SmallTape& tape);

// Applies the last norm and computes statistics of each channel over time.
// @param result [frames][head], overwritten
// @param statistics [3 × head], overwritten: mean, maximum, standard deviation
void over_time(const MapKernels& kernels, const MapNorm& norm, const float* map, float* result, float* statistics);

// Gradient of over_time. @param d_result [frames][head], overwritten: the gradient of the tape's result
void over_time_backward(const SmallPlan& plan, const SmallTape& tape, const float* statistics, const float* d_statistics,
                        float* d_result);

// Adds up the gradients of conv1's overlapping receptive fields to that of the normalised picture
// [frames][64].
// @param fields [rows × columns][25, rounded up]
void add_fields(const SmallPlan& plan, const float* fields, float* d_picture);

}  // namespace earshot
