// One crop on its way through `mel`, a layer at a time.
#pragma once

#include "kernels.h"
#include "mel_norm.h"

namespace earshot {

// The norms' and kernels' state that all crops of a pass share. `norms[0]` is the input's, `norms[i + 1]` layer i's.
struct MelPass {
  const MapKernels& kernels;
  const MelPlan& plan;
  const std::vector<MelNorm>& norms;
  const std::vector<AlignedArray<float>>& packed;  // forward kernels, [kernel_rows][padded_out]

  MapNorm input_norm() const { return norms[0].over(plan.frames, 1, false, false); }
  MapNorm layer_norm(int layer) const {
    const MelLayer& is = plan.layers[static_cast<size_t>(layer)];
    return norms[static_cast<size_t>(layer) + 1].over(is.rows, is.columns, true, is.pooled);
  }
};

// What a crop's layers are given and make of it before their norms.
struct MelTape {
  explicit MelTape(const MelPlan& plan);
  std::vector<AlignedArray<float>> inputs, maps;  // by layer
  AlignedArray<float> result;                     // [frames][head], the last norm's
};

// [kernel_rows][out] → the layer's forward kernel [kernel_rows][padded_out].
void pack_forward(const MelLayer& layer, const float* kernel, float* packed);

// The layer's input out of the crop (layer 0) or the map before, then its map.
void run_layer(const MelPass& pass, int layer, const float* crop, MelTape& tape);

// The norm's result [frames][head] out of the last map, and the mean, maximum and deviation of each channel over time.
// @param statistics [3 × head]
void over_time(const MapKernels& kernels, const MapNorm& norm, const float* map, float* result, float* statistics);

// @param d_result [frames][head], written: the gradients of the tape's result
void over_time_backward(const MelPlan& plan, const MelTape& tape, const float* statistics, const float* d_statistics,
                        float* d_result);

// The gradients of the normalised crop [frames][64], out of those of conv1's overlapping fields.
// @param fields [rows × columns][25, rounded up]
void add_fields(const MelPlan& plan, const float* fields, float* d_crop);

}  // namespace earshot
