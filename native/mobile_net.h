// The network of the pretrained encoder (shared/encoder/mobile-net.ts): a picture of mel bands in,
// features and logits of AudioSet's tags out. Batch norms are folded into the convolutions.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "aligned.h"
#include "kernels.h"

namespace earshot {

constexpr int kEncoderBands = 128;
constexpr int kEncoderFeatures = 384;
constexpr int kEncoderTags = 527;
constexpr int kEncoderOutputs = kEncoderFeatures + kEncoderTags;
constexpr int kEncoderBlocks = 15;

// Calls work(item, worker) for all items: on this thread, or on all threads of a pool.
using Runner = std::function<void(int items, const std::function<void(int item, int worker)>& work)>;

// Size of a map; picture_kernels.h describes the layout. `row` is in floats.
struct MapShape {
  int rows, columns, row;
  int pixels() const { return rows * columns; }
  long floats() const { return static_cast<long>(rows) * row; }
  // From one channel to the next. Powers of two would let the channels compete for the same places in a
  // cache.
  long plane() const { return floats() + kPixelStep; }
};

// A block's maps for one length of window. `frame_rows` includes the zeros above and below.
struct BlockPlan {
  MapShape from, to;
  Frame frame;
  int frame_rows, rows_above;
};

class MobileNet {
 public:
  explicit MobileNet(const Kernels& kernels);
  MobileNet(const MobileNet&) = delete;

  // Lengths of the parameter tensors, in the order in which they lie in the array for `take`.
  const std::vector<size_t>& sizes() const { return sizes_; }
  // Number of floats that are kept for the weights.
  size_t total() const { return weights_.size(); }
  // Copies the weights: all tensors, one after the other.
  void take(const float* values);

  // Memory for the maps of one picture.
  struct Room {
    int columns = 0;  // of the picture that the rest is for
    MapShape stem{};
    std::array<BlockPlan, kEncoderBlocks> plans{};
    AlignedArray<float> input, output, depthwise;
    AlignedArray<float> squeezed, shares;  // squeezed: what each group of channels adds, [group][squeezed]
    AlignedArray<float> hidden, tags;
  };
  // Memory of one thread.
  struct Scratch {
    AlignedArray<float> split, stem, first, expanded, frame;
    AlignedArray<float> second, kernel, last;
    int columns = 0;  // for which there is memory
    Frame framed{};   // whose zeros lie in `frame`
  };
  // Floats of a row with so many columns.
  int row_of(int columns) const { return (columns + lanes_ - 1) / lanes_ * lanes_; }
  // Computes the outputs of a picture. They do not depend on the runner.
  // @param picture [kEncoderBands][row_of(columns)]
  // @param scratches by worker
  // @param outputs [kEncoderOutputs]
  void run(const float* picture, int columns, Room& room, std::vector<Scratch>& scratches, const Runner& runner,
           float* outputs) const;

 private:
  // How a layer's weights lie in memory.
  enum class Packing { kGroups, kChannels, kRows, kChunks };
  // Sizes of a layer, and offsets of its packed weights.
  struct Layer {
    int in, out;
    Packing packing;
    size_t kernel, bias;
  };
  // An inverted residual block. `size` is the depthwise kernel's, and `squeezed` the width of
  // squeeze-and-excitation, 0 without it.
  struct Block {
    int in, expanded, size, stride, squeezed, out;
    Activation activation;
    bool expands() const { return expanded != in; }
    bool adds() const { return stride == 1 && in == out; }
    Layer expand, depthwise, project, squeeze, excite;
  };

  Layer place(int in, int out, Packing packing);
  void place_layers();
  void pack(const Layer& layer, const float* kernel, const float* bias);

  MapShape shape_of(int rows, int columns) const { return {rows, columns, row_of(columns)}; }
  Frame frame_of(int stride, int columns, int rows) const;
  void fit(Room& room, int columns) const;
  void fit(Scratch& scratch, const Room& room) const;

  void run_stripe(const float* picture, int first, int last, Room& room, Scratch& scratch) const;
  void run_block(const Block& block, const BlockPlan& plan, Room& room, std::vector<Scratch>& scratches,
                 const Runner& runner) const;
  void run_group(const Block& block, const BlockPlan& plan, int group, Room& room, Scratch& scratch) const;
  void project(const Block& block, const BlockPlan& plan, int group, int first, int vecs, Room& room,
               Scratch& scratch) const;
  void excite(const Block& block, const Runner& runner, Room& room) const;
  void classify(MapShape last, Room& room, std::vector<Scratch>& scratches, const Runner& runner, float* outputs) const;
  void run_dense(const Layer& layer, const float* input, Activation activation, const Runner& runner, float* output) const;

  Pointwise pointwise_of(const Layer& layer, int group, int vecs, long in_plane, Activation activation) const;
  Depthwise depthwise_of(const Block& block, int group, int rows, const Frame& frame, MapShape to) const;
  const float* kernel_of(const Layer& layer) const { return weights_.data() + layer.kernel; }
  const float* bias_of(const Layer& layer) const { return weights_.data() + layer.bias; }

  const PictureKernels& kernels_;
  const int lanes_;
  std::vector<size_t> sizes_;
  std::vector<Layer> layers_;  // in the order of `sizes_`
  size_t placed_ = 0;
  std::array<Block, kEncoderBlocks> blocks_;
  Layer stem_, last_, hidden_, tags_;
  AlignedArray<float> weights_;
  std::vector<float> zeros_, ones_;  // a bias; inputs of a layer that only adds
};

}  // namespace earshot
