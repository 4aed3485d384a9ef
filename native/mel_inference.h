// Inference of `mel`. Batch norms are folded into the 3 × 3 convolutions, which use Winograd's
// algorithm. Several crops are computed at a time, so that a network's weights are read into the cache
// once for them.
#pragma once

#include "kernels.h"
#include "mel_norm.h"

namespace earshot {

// Largest number of crops that are computed at a time.
constexpr int kMostCrops = 4;

// Number of crops in a work item, chosen so that the threads finish at about the same time and each
// reading of the weights serves as many crops as possible. The logits of a crop do not depend on it.
int crops_at_once(int members, int crops, int threads);

// The weights of one network, laid out for the kernels.
class MelWeights {
 public:
  MelWeights(const MelSize& size, const MelParameters& parameters);

  // Lays out the weights. @param values all parameters of the network
  void take(const float* values);

 private:
  friend class MelRoom;
  struct Winograd {
    AlignedArray<float> kernel;  // transformed, [16][in][padded_out]
    AlignedArray<float> bias;
  };

  const MelSize size_;
  const MelParameters& parameters_;
  MelNorm input_norm_, first_norm_, head_norm_;
  AlignedArray<float> first_, head_;  // [kernel_rows][padded_out]
  std::vector<Winograd> inner_;       // conv2 to conv6
  AlignedArray<float> dense_, dense_bias_;
};

// Memory of one thread for inference with crops of the plan's length.
class MelRoom {
 public:
  MelRoom(const MapKernels& kernels, const MelPlan& plan, const MelSize& size);

  // Computes the logits of crops.
  // @param crops `count` ≤ kMostCrops pointers to [frames][64]
  // @param logits [count][classes], overwritten
  void judge(const MelWeights& weights, const float* const* crops, int count, float* logits);

 private:
  void first_layer(const MelWeights& weights, const float* crop, int place);
  void inner_layer(const MelWeights& weights, int layer, int place);
  void head(const MelWeights& weights, int count);
  // The padded input of a layer, and below its first element inside the padding.
  float* input(int layer, int place) {
    const size_t at = static_cast<size_t>(layer);
    return inputs_[at].data() + static_cast<size_t>(place) * input_floats_[at];
  }
  float* inside(int layer, int place) {
    return input(layer, place) + plan_.layers[static_cast<size_t>(layer)].input_start;
  }

  const MapKernels& kernels_;
  const MelPlan& plan_;
  const MelSize size_;
  std::array<size_t, kMelLayers> input_floats_;
  std::vector<AlignedArray<float>> inputs_;  // by layer
  AlignedArray<float> first_map_, values_, products_, head_map_, result_, statistics_;
};

}  // namespace earshot
