// `mel` when nothing is learned any more: batch norm folded into the convolutions of 3 × 3, which go by Winograd's way,
// and several crops of one network at a time, so that its weights come into the cache once.
#pragma once

#include "kernels.h"
#include "mel_norm.h"

namespace earshot {

// Crops that a room holds.
constexpr int kMostCrops = 4;

// How many crops of each of `members` an item of work takes, so that the threads end together and weights are read for as
// many crops as possible. What comes out of a crop does not depend on it.
int crops_at_once(int members, int crops, int threads);

// The weights of one network, laid out for the kernels.
class MelWeights {
 public:
  MelWeights(const MelSize& size, const MelParameters& parameters);

  // @param values the network's
  void take(const float* values);

 private:
  friend class MelRoom;
  struct Winograd {
    AlignedArray<float> kernel;  // [16][in][padded_out]
    AlignedArray<float> bias;
  };

  const MelSize size_;
  const MelParameters& parameters_;
  MelNorm input_norm_, first_norm_, head_norm_;
  AlignedArray<float> first_, head_;  // [kernel_rows][padded_out]
  std::vector<Winograd> inner_;       // of conv2 to conv6
  AlignedArray<float> dense_, dense_bias_;
};

// What one thread needs to judge crops of the plan's length.
class MelRoom {
 public:
  MelRoom(const MapKernels& kernels, const MelPlan& plan, const MelSize& size);

  // @param crops `count` ≤ kMostCrops of them, [frames][64] each
  // @param logits [count][classes]
  void judge(const MelWeights& weights, const float* const* crops, int count, float* logits);

 private:
  void first_layer(const MelWeights& weights, const float* crop, int place);
  void inner_layer(const MelWeights& weights, int layer, int place);
  void head(const MelWeights& weights, int count);
  // The layer's input with zeros around it.
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
