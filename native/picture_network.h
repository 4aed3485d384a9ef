// A network behind the pictures of an encoder's front end: features and logits of AudioSet's tags of a
// picture of mel bands.
#pragma once

#include <memory>
#include <vector>

#include "mobile_net.h"

namespace earshot {

class PictureNetwork {
 public:
  virtual ~PictureNetwork() = default;

  // Lengths of the parameter tensors, in the order in which they lie in the array for `take`.
  virtual const std::vector<size_t>& sizes() const = 0;
  // Number of floats that are kept for the weights.
  virtual size_t total() const = 0;
  // Copies the weights: all tensors, one after the other.
  virtual void take(const float* values) = 0;
  // Computes the outputs of a picture. They do not depend on the runner.
  // @param picture [kEncoderBands], `row` floats from one band to the next
  // @param worker whose memory is used; calls for different workers may run at the same time
  // @param outputs [kEncoderOutputs]
  virtual void run(const float* picture, int columns, long row, size_t worker, const Runner& runner, float* outputs) = 0;
};

// The pretrained encoder's.
std::unique_ptr<PictureNetwork> create_mobile_pictures(const Kernels& kernels, int threads);

// The small encoder's: the network of small_net.h on pictures of half as many bands and frames, each the mean
// of two by two (shared/encoder/small-picture.ts).
std::unique_ptr<PictureNetwork> create_small_pictures(const Kernels& kernels, int threads);

}  // namespace earshot
