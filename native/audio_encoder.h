// An encoder with its front end (shared/encoder). One call turns windows of samples into features and
// logits of AudioSet's tags.
#pragma once

#include <vector>

#include "aligned.h"
#include "kernels.h"
#include "picture_cache.h"
#include "picture_network.h"
#include "thread_pool.h"
#include "window.h"

namespace earshot {

constexpr int kEncoderHop = 320;
// Samples; shorter windows are padded with zeros at the end.
constexpr int kEncoderFewestSamples = 16'000;
constexpr int kEncoderFewestFrames = kEncoderFewestSamples / kEncoderHop;

class AudioEncoder {
 public:
  AudioEncoder(const Kernels& kernels, int threads, std::unique_ptr<PictureNetwork> network);
  AudioEncoder(const AudioEncoder&) = delete;

  // Lengths of the parameter tensors, in the order in which they lie in the array for `take`.
  const std::vector<size_t>& sizes() const { return network_->sizes(); }
  size_t total() const { return network_->total(); }
  // Copies the weights: all tensors, one after the other.
  void take(const float* values) { network_->take(values); }

  // Encodes windows on all threads. The result does not depend on the number of threads.
  // @return [window][kEncoderOutputs]: the features, then the logits; valid until the next call
  const std::vector<float>& encode(const std::vector<Window>& windows);
  // Computes the network without the front end. Each window holds the front end's output for one window,
  // [kEncoderBands][frames], with at least kEncoderFewestFrames frames.
  const std::vector<float>& encode_pictures(const std::vector<Window>& pictures);
  // Computes the front end without the network, for networks on another engine.
  // @return of each window [frames][kEncoderBands], one after the other; valid until the next call
  const std::vector<float>& pictures(const std::vector<Window>& windows);

 private:
  // Memory of one thread for the front end.
  struct Scratch {
    std::vector<float> samples;  // of the frames of one call, after pre-emphasis
    AlignedArray<float> mel;
  };
  // What is known of a window of the current call.
  struct Heard {
    std::vector<uint64_t> blocks;
    PictureCache::Match match;
    PictureCache::Entry* into;  // null: its picture is not kept
  };
  // The front end's output for one window: [kEncoderBands][row], of which `columns` are frames.
  struct Picture {
    const float* values;
    int columns;
    long row;
  };
  // Calls work(window, worker, run) for each of `count` windows. Work may use the memory of that worker.
  // `run` shares work among the threads that this window has.
  using Work = std::function<void(size_t window, size_t worker, const Runner& run)>;
  void for_each_window(size_t count, const Work& work);
  // The same with each window's picture, which is kept for later windows that share samples with it.
  using PictureWork = std::function<void(size_t window, const Picture& picture, size_t worker, const Runner& run)>;
  void for_each_picture(const std::vector<Window>& windows, const PictureWork& work);
  float* outputs_of(size_t window) { return outputs_.data() + window * kEncoderOutputs; }
  void find_shared(const std::vector<Window>& windows);
  void hash_blocks(const Window& window, Heard& heard, int first, int last) const;
  // @return the picture's columns
  // Floats of a row with so many columns.
  int row_of(int columns) const { return (columns + kernels_.frames - 1) / kernels_.frames * kernels_.frames; }
  int picture_of(const Window& window, const Heard& heard, AlignedArray<float>& picture, const Runner& run);
  void emphasise(const Window& window, int first, int count, float* output) const;

  const PictureKernels& kernels_;
  ThreadPool pool_;
  std::unique_ptr<PictureNetwork> network_;
  std::vector<float> window_, twiddles_, turns_, band_weights_;
  std::vector<int> order_, band_first_, band_count_;
  MelTables mel_;
  PictureCache cache_;
  std::vector<Heard> heard_;  // by window
  std::vector<AlignedArray<float>> unkept_;  // by worker: the picture of a window that is not kept
  std::vector<Scratch> mel_scratches_;  // by worker
  std::vector<float> outputs_, pictures_;
};

}  // namespace earshot
