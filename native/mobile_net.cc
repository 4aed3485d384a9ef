#include "mobile_net.h"

#include <algorithm>

#include "layout.h"

namespace earshot {

namespace {

constexpr int kStemChannels = 8;
constexpr int kTagHidden = 512;
// The first blocks are computed in stripes of so many rows of the second one's output.
constexpr int kFusedBlocks = 2, kStripeRows = 4;
// Least number of items into which a step is split where possible. It does not depend on the number of
// threads, so that the results do not either.
constexpr int kItems = 8;
constexpr int kMostSqueezed = 96;
// Outputs of a dense layer that lie together.
constexpr int kChunk = 64;

constexpr Activation kRelu = Activation::kRelu, kSwish = Activation::kHardSwish;

// expanded, size, stride, squeezed, out, activation: shared/encoder/mobile-net.ts
struct Row {
  int expanded, size, stride, squeezed, out;
  Activation activation;
};
constexpr Row kRows[kEncoderBlocks] = {
    {8, 3, 1, 0, 8, kRelu},      {24, 3, 2, 0, 16, kRelu},    {32, 3, 1, 0, 16, kRelu},
    {32, 5, 2, 8, 16, kRelu},    {48, 5, 1, 16, 16, kRelu},   {48, 5, 1, 16, 16, kRelu},
    {96, 3, 2, 0, 32, kSwish},   {80, 3, 1, 0, 32, kSwish},   {72, 3, 1, 0, 32, kSwish},
    {72, 3, 1, 0, 32, kSwish},   {192, 3, 1, 48, 48, kSwish}, {272, 3, 1, 72, 48, kSwish},
    {272, 5, 2, 72, 64, kSwish}, {384, 5, 1, 96, 64, kSwish}, {384, 5, 1, 96, 64, kSwish}};

int groups_of(int channels) { return channels / kChannelGroup; }
int padded(int channels) { return parts(channels, kPixelStep) * kPixelStep; }

void grow(AlignedArray<float>& array, long floats) {
  const size_t length = static_cast<size_t>(floats) + kPixelSlack;
  if (array.size() < length) array = AlignedArray<float>(length);
}

// Where column 0 of a row lies in a frame.
long place_in(const Frame& frame, int row) { return row * frame.pitch + frame.margin; }

bool same(const Frame& a, const Frame& b) {
  return a.stride == b.stride && a.columns == b.columns && a.pitch == b.pitch && a.plane == b.plane;
}

// Sets a row of every channel of a frame to zero, with the margin behind it.
void clear_row(const Frame& frame, int row, int channels, float* values) {
  for (int c = 0; c < channels; c++) std::fill_n(values + c * frame.plane + row * frame.pitch, frame.pitch + frame.margin, 0.0f);
}

// Sets the zeros around the columns of every row.
void clear_margins(const Frame& frame, int rows, int channels, float* values) {
  for (int c = 0; c < channels; c++) {
    for (int row = 0; row <= rows; row++) {
      float* from = values + c * frame.plane + row * frame.pitch;
      std::fill_n(from, frame.margin, 0.0f);
      if (frame.odd > 0 && row < rows) std::fill_n(from + frame.odd, frame.margin, 0.0f);
    }
  }
}

}  // namespace

MobileNet::MobileNet(const Kernels& kernels) : kernels_(*kernels.pictures), lanes_(kernels_.frames) {
  place_layers();
  zeros_.resize(kMostSqueezed);
  ones_.assign(static_cast<size_t>(groups_of(kEncoderFeatures)), 1.0f);
  weights_ = AlignedArray<float>(placed_ + kPixelSlack);
}

MobileNet::Layer MobileNet::place(int in, int out, Packing packing) {
  Layer layer{in, out, packing, placed_, 0};
  const int wide = packing == Packing::kChunks ? parts(out, kChunk) * kChunk : packing == Packing::kRows ? padded(out) : out;
  const auto advance = [this](int floats) { placed_ += static_cast<size_t>(padded(floats)); };
  advance(in * wide);
  layer.bias = placed_;
  advance(wide);
  sizes_.push_back(static_cast<size_t>(in * out));
  sizes_.push_back(static_cast<size_t>(out));
  layers_.push_back(layer);
  return layer;
}

void MobileNet::place_layers() {
  stem_ = place(9, kStemChannels, Packing::kGroups);
  int channels = kStemChannels;
  for (size_t i = 0; i < kEncoderBlocks; i++) {
    const Row& row = kRows[i];
    Block& block = blocks_[i];
    block = {channels, row.expanded, row.size, row.stride, row.squeezed, row.out, row.activation, {}, {}, {}, {}, {}};
    if (block.expands()) block.expand = place(channels, row.expanded, Packing::kGroups);
    block.depthwise = place(row.size * row.size, row.expanded, Packing::kChannels);
    block.project = place(row.expanded, row.out, Packing::kGroups);
    channels = row.out;
  }
  last_ = place(channels, kEncoderFeatures, Packing::kGroups);
  for (Block& block : blocks_) {
    if (block.squeezed == 0) continue;
    block.squeeze = place(block.expanded, block.squeezed, Packing::kRows);
    block.excite = place(block.squeezed, block.expanded, Packing::kChunks);
  }
  hidden_ = place(kEncoderFeatures, kTagHidden, Packing::kChunks);
  tags_ = place(kTagHidden, kEncoderTags, Packing::kChunks);
}

void MobileNet::take(const float* values) {
  for (const Layer& layer : layers_) {
    const float* bias = values + layer.in * layer.out;
    pack(layer, values, bias);
    values = bias + layer.out;
  }
}

// @param kernel [in][out]
void MobileNet::pack(const Layer& layer, const float* kernel, const float* bias) {
  const int width = layer.packing == Packing::kGroups     ? kChannelGroup
                    : layer.packing == Packing::kChannels ? 1
                    : layer.packing == Packing::kRows     ? padded(layer.out)
                                                          : kChunk;
  float* to = weights_.data() + layer.kernel;
  for (int first = 0; first < layer.out; first += width) {
    for (int i = 0; i < layer.in; i++, to += width) {
      std::copy_n(kernel + static_cast<long>(i) * layer.out + first, std::min(width, layer.out - first), to);
    }
  }
  std::copy_n(bias, layer.out, weights_.data() + layer.bias);
}

Frame MobileNet::frame_of(int stride, int columns, int rows) const {
  const int part = row_of(parts(columns, stride));
  const long pitch = static_cast<long>(stride) * (lanes_ + part);
  return {stride, columns, lanes_, stride == 2 ? lanes_ + part : 0, pitch, rows * pitch + kPixelStep};
}

// Plans the maps of pictures of so many columns, and allocates memory for them.
void MobileNet::fit(Room& room, int columns) const {
  if (room.columns == columns) return;
  room.columns = columns;
  room.stem = shape_of(kEncoderBands / 2, parts(columns, 2));
  MapShape from = room.stem;
  long largest = 0, depthwise = 0;
  for (size_t i = 0; i < kEncoderBlocks; i++) {
    const Block& block = blocks_[i];
    const MapShape to = shape_of(from.rows / block.stride, parts(from.columns, block.stride));
    const int rows = (to.rows - 1) * block.stride + block.size;
    room.plans[i] = {from, to, frame_of(block.stride, from.columns, rows), rows, (block.size - 1) / 2};
    if (i + 1 >= kFusedBlocks) largest = std::max(largest, to.plane() * block.out);
    if (i >= kFusedBlocks) depthwise = std::max(depthwise, to.plane() * block.expanded);
    from = to;
  }
  grow(room.input, largest);
  grow(room.output, largest);
  grow(room.depthwise, depthwise);
  grow(room.squeezed, groups_of(kEncoderFeatures) * kMostSqueezed);
  grow(room.shares, kEncoderFeatures + kChunk);
  grow(room.hidden, kTagHidden);
  grow(room.tags, parts(kEncoderTags, kChunk) * kChunk);
}

void MobileNet::fit(Scratch& scratch, const Room& room) const {
  if (scratch.columns >= room.columns) return;
  scratch.columns = room.columns;
  scratch.framed = {};
  const BlockPlan& second = room.plans[1];
  const int rows = 2 * kStripeRows + 1;  // of the second block's input for a stripe
  grow(scratch.split, frame_of(2, room.columns, 2 * (rows + 2) + 1).plane);
  grow(scratch.stem, kStemChannels * frame_of(1, room.stem.columns, rows + 2).plane);
  grow(scratch.first, 2 * kStemChannels * MapShape{rows, room.stem.columns, room.stem.row}.plane());
  grow(scratch.expanded, kChannelGroup * frame_of(2, room.stem.columns, rows).plane);
  grow(scratch.second, blocks_[1].expanded * MapShape{kStripeRows, second.to.columns, second.to.row}.plane());
  long frame = 0;
  for (size_t i = kFusedBlocks; i < kEncoderBlocks; i++) frame = std::max(frame, room.plans[i].frame.plane);
  grow(scratch.frame, kChannelGroup * frame);
  grow(scratch.kernel, kEncoderFeatures * kChannelGroup);
  grow(scratch.last, kChannelGroup * room.plans.back().to.plane());
}

Pointwise MobileNet::pointwise_of(const Layer& layer, int group, int vecs, long in_plane, Activation activation) const {
  const float* kernel = kernel_of(layer) + static_cast<long>(group) * layer.in * kChannelGroup;
  return {layer.in, vecs, in_plane, kernel, bias_of(layer) + group * kChannelGroup, activation};
}

Depthwise MobileNet::depthwise_of(const Block& block, int group, int rows, const Frame& frame, MapShape to) const {
  const int channel = group * kChannelGroup;
  return {block.size,
          block.stride,
          rows,
          to.columns,
          frame.plane,
          frame.pitch,
          frame.odd,
          MapShape{rows, to.columns, to.row}.plane(),
          to.row,
          kernel_of(block.depthwise) + channel * block.size * block.size,
          bias_of(block.depthwise) + channel,
          block.activation};
}

void MobileNet::run(const float* picture, int columns, Room& room, std::vector<Scratch>& scratches, const Runner& runner,
                    float* outputs) const {
  fit(room, columns);
  runner(parts(room.plans[1].to.rows, kStripeRows), [&](int item, int worker) {
    Scratch& scratch = scratches[static_cast<size_t>(worker)];
    fit(scratch, room);
    const int first = item * kStripeRows;
    run_stripe(picture, first, std::min(first + kStripeRows, room.plans[1].to.rows), room, scratch);
  });
  for (size_t i = kFusedBlocks; i < kEncoderBlocks; i++) {
    std::swap(room.input, room.output);
    run_block(blocks_[i], room.plans[i], room, scratches, runner);
  }
  classify(room.plans.back().to, room, scratches, runner, outputs);
}

// Computes rows [first, last) of the second block's output from the picture, with all rows that they
// need of the maps between. Rows beyond the edge of a map are zeros.
void MobileNet::run_stripe(const float* picture, int first, int last, Room& room, Scratch& scratch) const {
  const Block &one = blocks_[0], &two = blocks_[1];
  const MapShape stem = room.stem, out = room.plans[1].to;
  const int wanted = 2 * first - 1, rows = 2 * (last - first) + 1;  // of the first block's output
  const int top = std::max(0, wanted), bottom = std::min(stem.rows, wanted + rows);
  const int stem_top = std::max(0, top - 1), stem_bottom = std::min(stem.rows, bottom + 1);

  const int split_rows = 2 * (stem_bottom - stem_top) + 1;
  const Frame split = frame_of(2, room.columns, split_rows);
  clear_margins(split, split_rows, 1, scratch.split.data());
  for (int r = 0; r < split_rows; r++) {
    const int from = 2 * stem_top - 1 + r;
    float* to = scratch.split.data() + place_in(split, r);
    if (from < 0 || from >= kEncoderBands) {
      clear_row(split, r, 1, scratch.split.data());
    } else {
      kernels_.split(picture + static_cast<long>(from) * row_of(room.columns), room.columns, to, to + split.odd);
    }
  }

  const int stem_rows = bottom - top + 2;
  const Frame frame = frame_of(1, stem.columns, stem_rows);
  clear_margins(frame, stem_rows, kStemChannels, scratch.stem.data());
  if (stem_top == top) clear_row(frame, 0, kStemChannels, scratch.stem.data());
  if (stem_bottom == bottom) clear_row(frame, stem_rows - 1, kStemChannels, scratch.stem.data());
  kernels_.stem({stem_bottom - stem_top, split.pitch, split.odd, frame, kernel_of(stem_), bias_of(stem_)},
                scratch.split.data() + place_in(split, 0), scratch.stem.data() + place_in(frame, stem_top - top + 1));

  const int one_rows = bottom - top;
  const long plane = MapShape{one_rows, stem.columns, stem.row}.plane();
  float *mapped = scratch.first.data(), *projected = mapped + kStemChannels * plane;
  const auto depthwise = [this](const Depthwise& layer, const float* input, float* output) {
    kernels_.depthwise(layer, input, output, nullptr);
  };
  depthwise(depthwise_of(one, 0, one_rows, frame, stem), scratch.stem.data() + place_in(frame, 0), mapped);
  const Pointwise project = pointwise_of(one.project, 0, stem.row / lanes_, plane, Activation::kNone);
  for (int r = 0; r < one_rows; r++) {
    const long at = static_cast<long>(r) * stem.row;
    kernels_.pointwise(project, mapped + at, scratch.stem.data() + place_in(frame, r + 1), frame.plane, projected + at, plane);
  }

  const Frame halves = frame_of(2, stem.columns, rows);
  float* expanded = scratch.expanded.data();
  clear_margins(halves, rows, kChannelGroup, expanded);
  if (top > wanted) clear_row(halves, 0, kChannelGroup, expanded);
  if (bottom < wanted + rows) clear_row(halves, rows - 1, kChannelGroup, expanded);
  const long out_plane = MapShape{last - first, out.columns, out.row}.plane();
  for (int group = 0; group < groups_of(two.expanded); group++) {
    const Pointwise expand = pointwise_of(two.expand, group, one_rows * stem.row / lanes_, plane, two.activation);
    kernels_.expand(expand, halves, projected, expanded + place_in(halves, top - wanted));
    depthwise(depthwise_of(two, group, last - first, halves, out), expanded + place_in(halves, 0),
              scratch.second.data() + group * kChannelGroup * out_plane);
  }
  for (int group = 0; group < groups_of(two.out); group++) {
    const Pointwise project = pointwise_of(two.project, group, (last - first) * out.row / lanes_, out_plane, Activation::kNone);
    kernels_.pointwise(project, scratch.second.data(), nullptr, 0,
                       room.output.data() + group * kChannelGroup * out.plane() + static_cast<long>(first) * out.row, out.plane());
  }
}

void MobileNet::run_block(const Block& block, const BlockPlan& plan, Room& room, std::vector<Scratch>& scratches,
                          const Runner& runner) const {
  runner(groups_of(block.expanded), [&](int group, int worker) {
    Scratch& scratch = scratches[static_cast<size_t>(worker)];
    fit(scratch, room);
    run_group(block, plan, group, room, scratch);
  });
  if (block.squeezed > 0) excite(block, runner, room);
  const int groups = groups_of(block.out), vecs = static_cast<int>(plan.to.floats() / lanes_);
  const int each = groups >= kItems / 2 ? vecs : parts(vecs, parts(kItems, groups));
  const int stripes = parts(vecs, each);
  runner(groups * stripes, [&](int item, int worker) {
    const int first = item % stripes * each;
    project(block, plan, item / stripes, first, std::min(each, vecs - first), room, scratches[static_cast<size_t>(worker)]);
  });
}

// Expands a group of channels, computes its depthwise convolution, and what it adds to the squeezed
// channels.
void MobileNet::run_group(const Block& block, const BlockPlan& plan, int group, Room& room, Scratch& scratch) const {
  float* frame = scratch.frame.data();
  if (!same(scratch.framed, plan.frame)) {
    clear_margins(plan.frame, plan.frame_rows, kChannelGroup, frame);
    for (int r = 0; r < plan.rows_above; r++) clear_row(plan.frame, r, kChannelGroup, frame);
    for (int r = plan.rows_above + plan.from.rows; r < plan.frame_rows; r++) clear_row(plan.frame, r, kChannelGroup, frame);
    scratch.framed = plan.frame;
  }
  const int vecs = static_cast<int>(plan.from.floats() / lanes_);
  kernels_.expand(pointwise_of(block.expand, group, vecs, plan.from.plane(), block.activation), plan.frame, room.input.data(),
                  frame + place_in(plan.frame, plan.rows_above));
  float means[kPixelStep];
  kernels_.depthwise(depthwise_of(block, group, plan.to.rows, plan.frame, plan.to), frame + place_in(plan.frame, 0),
                     room.depthwise.data() + group * kChannelGroup * plan.to.plane(), block.squeezed > 0 ? means : nullptr);
  if (block.squeezed == 0) return;
  for (float& mean : means) mean /= static_cast<float>(plan.to.pixels());
  const int row = padded(block.squeezed);
  kernels_.dense(means, kChannelGroup, kernel_of(block.squeeze) + group * kChannelGroup * row, row, zeros_.data(), row,
                 Activation::kNone, room.squeezed.data() + group * row);
}

// Computes the share of each channel of the depthwise convolution.
void MobileNet::excite(const Block& block, const Runner& runner, Room& room) const {
  const int row = padded(block.squeezed);
  float squeezed[kMostSqueezed];
  kernels_.dense(ones_.data(), groups_of(block.expanded), room.squeezed.data(), row, bias_of(block.squeeze), row,
                 Activation::kRelu, squeezed);
  runner(parts(block.expanded, kChunk), [&](int chunk, int) {
    const int first = chunk * kChunk;
    float* shares = room.shares.data() + first;
    kernels_.dense(squeezed, block.squeezed, kernel_of(block.excite) + first * block.squeezed, kChunk,
                   bias_of(block.excite) + first, kChunk, Activation::kNone, shares);
    kernels_.sigmoid(shares, kChunk);
  });
}

// Projects `vecs` vectors of pixels from vector `first` on.
void MobileNet::project(const Block& block, const BlockPlan& plan, int group, int first, int vecs, Room& room,
                        Scratch& scratch) const {
  Pointwise project = pointwise_of(block.project, group, vecs, plan.to.plane(), Activation::kNone);
  if (block.squeezed > 0) {
    fit(scratch, room);
    kernels_.weigh(project.kernel, room.shares.data(), block.expanded, scratch.kernel.data());
    project.kernel = scratch.kernel.data();
  }
  const long pixel = static_cast<long>(first) * lanes_, at = group * kChannelGroup * plan.to.plane() + pixel;
  kernels_.pointwise(project, room.depthwise.data() + pixel, block.adds() ? room.input.data() + at : nullptr,
                     plan.to.plane(), room.output.data() + at, plan.to.plane());
}

// Computes the last convolution, the mean of each of its channels (the features), and the tags' logits.
void MobileNet::classify(MapShape last, Room& room, std::vector<Scratch>& scratches, const Runner& runner,
                         float* outputs) const {
  runner(groups_of(kEncoderFeatures), [&](int group, int worker) {
    Scratch& scratch = scratches[static_cast<size_t>(worker)];
    fit(scratch, room);
    float* maps = scratch.last.data();
    const int vecs = static_cast<int>(last.floats() / lanes_);
    kernels_.pointwise(pointwise_of(last_, group, vecs, last.plane(), Activation::kHardSwish), room.output.data(), nullptr, 0,
                       maps, last.plane());
    for (int c = 0; c < kChannelGroup; c++) {
      const float sum = kernels_.total(maps + c * last.plane(), last.rows, last.columns, last.row);
      outputs[group * kChannelGroup + c] = sum / static_cast<float>(last.pixels());
    }
  });
  run_dense(hidden_, outputs, Activation::kHardSwish, runner, room.hidden.data());
  run_dense(tags_, room.hidden.data(), Activation::kNone, runner, room.tags.data());
  std::copy_n(room.tags.data(), kEncoderTags, outputs + kEncoderFeatures);
}

void MobileNet::run_dense(const Layer& layer, const float* input, Activation activation, const Runner& runner,
                          float* output) const {
  runner(parts(layer.out, kChunk), [&](int chunk, int) {
    const int first = chunk * kChunk;
    kernels_.dense(input, layer.in, kernel_of(layer) + static_cast<long>(first) * layer.in, kChunk, bias_of(layer) + first,
                   kChunk, activation, output + first);
  });
}

}  // namespace earshot
