// Inference of the small encoder's network. Batch norms are folded into the 3 × 3 convolutions, which use Winograd's
// algorithm. Several pictures are computed at a time, so that a network's weights are read into the cache
// once for them.
#pragma once

#include "kernels.h"
#include "small_net_norm.h"

namespace earshot {

// Largest number of pictures that are computed at a time.
constexpr int kMostPictures = 4;

// Number of pictures in a work item, chosen so that the threads finish at about the same time and each
// reading of the weights serves as many pictures as possible. The logits of a picture do not depend on it.
int pictures_at_once(int pictures, int threads);

// The weights of one network, laid out for the kernels.
class SmallWeights {
 public:
  SmallWeights(const SmallSize& size, const SmallParameters& parameters);

  // Lays out the weights. @param values all parameters of the network
  void take(const float* values);

 private:
  friend class SmallRoom;
  struct Winograd {
    AlignedArray<float> kernel;  // transformed, [16][in][padded_out]
    AlignedArray<float> bias;
  };

  const SmallSize size_;
  const SmallParameters& parameters_;
  SmallNorm input_norm_, first_norm_, head_norm_;
  AlignedArray<float> first_, head_;  // [kernel_rows][padded_out]
  std::vector<Winograd> inner_;       // conv2 to conv6
  AlignedArray<float> dense_, dense_bias_;
};

// Memory of one thread for inference with pictures of the plan's length.
class SmallRoom {
 public:
  SmallRoom(const MapKernels& kernels, const SmallPlan& plan, const SmallSize& size);

  // Computes the logits of pictures.
  // @param pictures `count` ≤ kMostPictures pointers to [frames][64]
  // @param logits [count][classes], overwritten
  void judge(const SmallWeights& weights, const float* const* pictures, int count, float* logits);

 private:
  void first_layer(const SmallWeights& weights, const float* picture, int place);
  void inner_layer(const SmallWeights& weights, int layer, int place);
  void head(const SmallWeights& weights, int count);
  // The padded input of a layer, and below its first element inside the padding.
  float* input(int layer, int place) {
    const size_t at = static_cast<size_t>(layer);
    return inputs_[at].data() + static_cast<size_t>(place) * input_floats_[at];
  }
  float* inside(int layer, int place) {
    return input(layer, place) + plan_.layers[static_cast<size_t>(layer)].input_start;
  }

  const MapKernels& kernels_;
  const SmallPlan& plan_;
  const SmallSize size_;
  std::array<size_t, kSmallLayers> input_floats_;
  std::vector<AlignedArray<float>> inputs_;  // by layer
  AlignedArray<float> first_map_, values_, products_, head_map_, result_, statistics_;
};

}  // namespace earshot
