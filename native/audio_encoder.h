// The pretrained encoder with its front end (shared/encoder): windows in, features and tag logits out, in one call.
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
// Shorter windows are completed with zeros.
constexpr int kEncoderFewestSamples = 16'000;
constexpr int kEncoderFewestFrames = kEncoderFewestSamples / kEncoderHop;
constexpr int kEncoderFeatures = 384;
constexpr int kEncoderTags = 527;
constexpr int kEncoderOutputs = kEncoderFeatures + kEncoderTags;
constexpr int kEncoderBlocks = 15;

// A layer's parameters, as places in the encoder's values.
struct LayerPlace {
  size_t kernel, bias;
};

// An inverted residual (shared/encoder/mobile-net.ts).
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

  // Of the parameters' tensors, in the order in which `take` wants them.
  const std::vector<size_t>& sizes() const { return sizes_; }
  size_t total() const { return values_.size(); }
  void take(const float* values);

  // @return [window][kEncoderOutputs]; valid until the next call
  const std::vector<float>& encode(const std::vector<Window>& windows);
  // The network alone: each window is what the front end made of one, [kEncoderBands][frames] of at least kEncoderFewestFrames.
  const std::vector<float>& encode_pictures(const std::vector<Window>& pictures);

 private:
  // A map's size; see picture_kernels.h.
  struct Shape {
    int rows, columns;
    int pixels() const { return rows * columns; }
    long plane() const { return (static_cast<long>(pixels()) + kPixelStep - 1) / kPixelStep * kPixelStep; }
  };
  // The maps of one window on its way.
  struct Room {
    std::vector<float> samples;  // pre-emphasised, reflected at both ends
    AlignedArray<float> picture, input, output, depthwise;
    std::vector<float> sums, kernel;  // of the depthwise maps, by stripe; of a projection, weighed
    std::vector<float> features;
  };
  // What one thread needs beside them.
  struct Scratch {
    AlignedArray<float> mel, rows, expanded, last;
  };
  // Runs items one after the other or on all threads.
  // Calls work(window, room, run, outputs) for each of `count` windows of at most `columns` frames.
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
  // The projection's kernel, each input channel weighed by squeeze-and-excitation; the layer's own where there is none.
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
