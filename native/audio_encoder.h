// The pretrained encoder with its front end (shared/encoder). One call turns windows of samples into
// features and logits of AudioSet's tags.
#pragma once

#include <array>
#include <vector>

#include "aligned.h"
#include "kernels.h"
#include "log_mel.h"
#include "thread_pool.h"

namespace earshot {

constexpr int kEncoderBands = 128;
constexpr int kEncoderHop = 320;
// Samples; shorter windows are padded with zeros at the end.
constexpr int kEncoderFewestSamples = 16'000;
constexpr int kEncoderFewestFrames = kEncoderFewestSamples / kEncoderHop;
constexpr int kEncoderFeatures = 384;
constexpr int kEncoderTags = 527;
constexpr int kEncoderOutputs = kEncoderFeatures + kEncoderTags;
constexpr int kEncoderBlocks = 15;

// Offsets of a layer's parameters in the encoder's array of values.
struct LayerPlace {
  size_t kernel, bias;
};

// An inverted residual block (shared/encoder/mobile-net.ts). `size` is the depthwise kernel's, and
// `squeezed` the width of squeeze-and-excitation, 0 without it.
struct MobileBlock {
  int in, expanded, size, stride, squeezed, out;
  Activation activation;
  bool expands() const { return expanded != in; }
  bool adds() const { return stride == 1 && in == out; }
  LayerPlace expand, depthwise, project, squeeze, excite;
};

class AudioEncoder {
 public:
  AudioEncoder(const Kernels& kernels, int threads);
  AudioEncoder(const AudioEncoder&) = delete;

  // Lengths of the parameter tensors, in the order in which they lie in the array for `take`.
  const std::vector<size_t>& sizes() const { return sizes_; }
  size_t total() const { return values_.size(); }
  // Copies the weights: all tensors, one after the other.
  void take(const float* values);

  // Encodes windows on all threads. The result does not depend on the number of threads.
  // @return [window][kEncoderOutputs]: the features, then the logits; valid until the next call
  const std::vector<float>& encode(const std::vector<Window>& windows);
  // Computes the network without the front end. Each window holds the front end's output for one window,
  // [kEncoderBands][frames], with at least kEncoderFewestFrames frames.
  const std::vector<float>& encode_pictures(const std::vector<Window>& pictures);

 private:
  // Size of a map; picture_kernels.h describes the layout. `plane` is in floats.
  struct Shape {
    int rows, columns;
    int pixels() const { return rows * columns; }
    long plane() const { return (static_cast<long>(pixels()) + kPixelStep - 1) / kPixelStep * kPixelStep; }
  };
  // Memory for the maps of one window.
  struct Room {
    std::vector<float> samples;  // after pre-emphasis, reflected at both ends
    AlignedArray<float> picture, input, output, depthwise;
    std::vector<float> sums, kernel;  // [stripe][channel] of the depthwise maps; a scaled projection kernel
    std::vector<float> features;
  };
  // Scratch memory of one thread.
  struct Scratch {
    AlignedArray<float> mel, rows, expanded, last;
  };
  // Calls work(window, room, run, outputs) for each of `count` windows of at most `columns` frames.
  // There and below, `run(items, work)` calls work(item, worker) for all items, on this thread or on all
  // threads.
  template <typename Work>
  const std::vector<float>& encode_each(size_t count, int columns, const Work& work);
  template <typename Run>
  void encode_picture(Shape picture, Room& room, const Run& run, float* outputs);
  template <typename Run>
  Shape picture_of(const Window& window, Room& room, const Run& run);
  template <typename Run>
  void run_block(const MobileBlock& block, Shape from, Shape to, Room& room, const Run& run);
  template <typename Run>
  void classify(Room& room, Shape last, const Run& run, float* outputs);

  void expand_stripe(const MobileBlock& block, Shape from, Shape to, Room& room, Scratch& scratch, int group, int first,
                     int last, float* sums) const;
  // The projection's kernel with each input channel scaled by squeeze-and-excitation; the unchanged
  // kernel for a block without it.
  const float* weighed_kernel(const MobileBlock& block, Shape to, int stripes, Room& room) const;
  void fit(Room& room, int columns) const;
  void fit(Scratch& scratch, int columns) const;
  const float* kernel_of(const LayerPlace& layer) const { return values_.data() + layer.kernel; }
  const float* bias_of(const LayerPlace& layer) const { return values_.data() + layer.bias; }

  const PictureKernels& kernels_;
  ThreadPool pool_;
  std::vector<size_t> sizes_;
  std::array<MobileBlock, kEncoderBlocks> blocks_;
  LayerPlace stem_, last_, hidden_, tags_;
  AlignedArray<float> values_;
  std::vector<float> window_, twiddles_, turns_, band_weights_;
  std::vector<int> order_, band_first_, band_count_;
  MelTables mel_;
  std::vector<Room> rooms_;        // by worker
  std::vector<Scratch> scratches_;  // by worker
  std::vector<float> outputs_;
};

}  // namespace earshot
