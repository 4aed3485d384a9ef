#include "audio_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "layout.h"
#include "transform_tables.h"

namespace earshot {

namespace {

constexpr int kStemChannels = 8;
constexpr int kTagHidden = 512;
constexpr int kTransform = 1024;
// The Hann window is not 0 for 800 samples of a transform, from sample 112 on.
constexpr int kHeard = 800, kStart = (kTransform - kHeard) / 2;
constexpr double kSampleRate = 32'000, kHighestHz = 15'000;
constexpr float kPreEmphasis = 0.97f;
// Number of samples that are reflected at each end.
constexpr int kReflected = kTransform / 2;
// Least number of items into which a step is split where possible. It does not depend on the number of
// threads, so that the results do not either.
constexpr int kItems = 8;
constexpr int kDenseOutputs = 64;

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

double mel_of(double hertz) { return 1127 * std::log(1 + hertz / 700); }

int groups_of(int channels) { return channels / kChannelGroup; }

// Number of parts into which a map's rows or pixels are split, given the number of channel groups.
int parts_beside(int groups) { return groups >= kItems / 2 ? 1 : parts(kItems, groups); }

void grow(AlignedArray<float>& array, size_t floats) {
  if (array.size() < floats + kPixelSlack) array = AlignedArray<float>(floats + kPixelSlack);
}

}  // namespace

AudioEncoder::AudioEncoder(const Kernels& kernels, int threads) : kernels_(*kernels.pictures), pool_(threads) {
  size_t next = 0;
  const auto place = [&](size_t kernel, size_t bias) {
    const LayerPlace layer{next, next + kernel};
    sizes_.push_back(kernel);
    sizes_.push_back(bias);
    next += kernel + bias;
    return layer;
  };
  const auto size = [](int a, int b) { return static_cast<size_t>(a) * static_cast<size_t>(b); };
  stem_ = place(size(9, kStemChannels), kStemChannels);
  int channels = kStemChannels;
  for (size_t i = 0; i < kEncoderBlocks; i++) {
    const Row& row = kRows[i];
    MobileBlock& block = blocks_[i];
    block = {channels, row.expanded, row.size, row.stride, row.squeezed, row.out, row.activation, {}, {}, {}, {}, {}};
    if (block.expands()) block.expand = place(size(channels, row.expanded), static_cast<size_t>(row.expanded));
    block.depthwise = place(size(row.size * row.size, row.expanded), static_cast<size_t>(row.expanded));
    block.project = place(size(row.expanded, row.out), static_cast<size_t>(row.out));
    channels = row.out;
  }
  last_ = place(size(channels, kEncoderFeatures), kEncoderFeatures);
  for (MobileBlock& block : blocks_) {
    if (block.squeezed == 0) continue;
    block.squeeze = place(size(block.expanded, block.squeezed), static_cast<size_t>(block.squeezed));
    block.excite = place(size(block.squeezed, block.expanded), static_cast<size_t>(block.expanded));
  }
  hidden_ = place(size(kEncoderFeatures, kTagHidden), kTagHidden);
  tags_ = place(size(kTagHidden, kEncoderTags), kEncoderTags);
  // Kernels read whole vectors, which may reach beyond the last value.
  values_ = AlignedArray<float>(next + kPixelSlack);

  constexpr int half = kTransform / 2;
  for (int k = 0; k < kHeard; k++) window_.push_back(static_cast<float>(0.5 - 0.5 * std::cos(2 * kPi * k / (kHeard - 1))));
  int bins = 1;
  const double spacing = mel_of(kHighestHz) / (kEncoderBands + 1);
  for (int band = 0; band < kEncoderBands; band++) {
    int first = 0, count = 0;
    for (int bin = 0; bin < half; bin++) {
      const double mel = mel_of(bin * kSampleRate / kTransform) / spacing;
      const double height = std::min(mel - band, band + 2 - mel);
      if (height <= 0) continue;
      if (count++ == 0) first = bin;
      band_weights_.push_back(static_cast<float>(height));
    }
    band_first_.push_back(first);
    band_count_.push_back(count);
    bins = std::max(bins, first + count);
  }
  twiddles_ = transform_twiddles<float>(kTransform);
  turns_ = transform_turns<float>(kTransform, bins);
  order_ = transform_order(kTransform);
  mel_ = {kTransform,    bins,          kHeard,        kStart,
          window_.data(), twiddles_.data(), order_.data(), turns_.data(),
          kEncoderBands, band_first_.data(), band_count_.data(), band_weights_.data()};
  rooms_.resize(static_cast<size_t>(pool_.threads()));
  scratches_.resize(static_cast<size_t>(pool_.threads()));
}

void AudioEncoder::take(const float* values) {
  size_t total = 0;
  for (const size_t size : sizes_) total += size;
  std::copy_n(values, total, values_.data());
}

// Allocates memory for windows of so many frames; its content is not kept.
void AudioEncoder::fit(Room& room, int columns) const {
  const size_t frames = static_cast<size_t>(parts(columns, kernels_.frames) * kernels_.frames);
  const size_t half = static_cast<size_t>(parts(columns, 2));
  grow(room.picture, kEncoderBands * frames);
  // The first maps are the largest; each of their channels has a quarter of the picture's pixels.
  const size_t plane = (kEncoderBands / 2 * half + kPixelStep - 1) / kPixelStep * kPixelStep;
  for (AlignedArray<float>* map : {&room.input, &room.output, &room.depthwise}) grow(*map, kStemChannels * plane);
  room.kernel.resize(kEncoderFeatures * 64);
  room.features.resize(kEncoderFeatures);
}

void AudioEncoder::fit(Scratch& scratch, int columns) const {
  const int half = parts(columns, 2);
  grow(scratch.mel, kernels_.mel_scratch(mel_));
  grow(scratch.rows, kernels_.row_scratch(columns));
  grow(scratch.expanded, kChannelGroup * (kEncoderBands / 2 * static_cast<size_t>(half) + kPixelStep));
  const size_t smallest = static_cast<size_t>(parts(half, 2) * kEncoderBands);
  grow(scratch.last, kChannelGroup * smallest);
}

const std::vector<float>& AudioEncoder::encode(const std::vector<Window>& windows) {
  int columns = 1;
  for (const Window& window : windows) {
    columns = std::max(columns, 1 + (std::max(window.length, kEncoderFewestSamples) - 1) / kEncoderHop);
  }
  return encode_each(windows.size(), columns, [&](size_t window, Room& room, const auto& run, float* outputs) {
    encode_picture(picture_of(windows[window], room, run), room, run, outputs);
  });
}

const std::vector<float>& AudioEncoder::encode_pictures(const std::vector<Window>& pictures) {
  int columns = 1;
  for (const Window& picture : pictures) columns = std::max(columns, picture.length / kEncoderBands);
  return encode_each(pictures.size(), columns, [&](size_t window, Room& room, const auto& run, float* outputs) {
    const int frames = pictures[window].length / kEncoderBands;
    const long row = static_cast<long>(parts(frames, kernels_.frames) * kernels_.frames);
    for (int band = 0; band < kEncoderBands; band++) {
      std::copy_n(pictures[window].samples + static_cast<long>(band) * frames, frames, room.picture.data() + band * row);
    }
    encode_picture({kEncoderBands, frames}, room, run, outputs);
  });
}

template <typename Work>
const std::vector<float>& AudioEncoder::encode_each(size_t count, int columns, const Work& work) {
  for (Scratch& scratch : scratches_) fit(scratch, columns);
  outputs_.resize(count * kEncoderOutputs);
  const auto outputs_of = [&](size_t window) { return outputs_.data() + window * kEncoderOutputs; };
  if (count < static_cast<size_t>(pool_.threads())) {
    fit(rooms_[0], columns);
    const auto on_all_threads = [this](int items, const auto& item) { pool_.run(items, item); };
    for (size_t w = 0; w < count; w++) work(w, rooms_[0], on_all_threads, outputs_of(w));
    return outputs_;
  }
  for (Room& room : rooms_) fit(room, columns);
  pool_.run(static_cast<int>(count), [&](int item, int worker) {
    const auto on_this_thread = [worker](int items, const auto& own) {
      for (int i = 0; i < items; i++) own(i, worker);
    };
    const size_t window = static_cast<size_t>(item);
    work(window, rooms_[static_cast<size_t>(worker)], on_this_thread, outputs_of(window));
  });
  return outputs_;
}

template <typename Run>
void AudioEncoder::encode_picture(Shape picture, Room& room, const Run& run, float* outputs) {
  const auto halved = [](Shape shape) { return Shape{parts(shape.rows, 2), parts(shape.columns, 2)}; };
  Shape from = halved(picture);
  const long in_row = parts(picture.columns, kernels_.frames) * kernels_.frames;
  const int each = parts(from.rows, kItems);
  run(parts(from.rows, each), [&](int item, int worker) {
    const int first = item * each, last = std::min(from.rows, first + each);
    const Stem stem{picture.rows, picture.columns, in_row, first, last, from.plane(), kernel_of(stem_), bias_of(stem_)};
    float* rows = scratches_[static_cast<size_t>(worker)].rows.data();
    kernels_.stem(stem, room.picture.data(), rows, room.input.data() + static_cast<long>(first) * from.columns);
  });
  for (const MobileBlock& block : blocks_) {
    const Shape to = block.stride == 2 ? halved(from) : from;
    run_block(block, from, to, room, run);
    std::swap(room.input, room.output);
    from = to;
  }
  classify(room, from, run, outputs);
}

// Computes pre-emphasis, then mel bands of frames of 25 ms every 10 ms, as
// shared/front-end/kaldi-mel.ts.
template <typename Run>
AudioEncoder::Shape AudioEncoder::picture_of(const Window& window, Room& room, const Run& run) {
  const int length = std::max(window.length, kEncoderFewestSamples);
  const int frames = 1 + (length - 1) / kEncoderHop;
  const int groups = parts(frames, kernels_.frames);
  const int emphasised = length - 1;
  // Frames of the last group may reach beyond the reflected end.
  const size_t needed = static_cast<size_t>((groups * kernels_.frames - 1) * kEncoderHop + kTransform);
  room.samples.assign(std::max(needed, static_cast<size_t>(emphasised + 2 * kReflected)), 0.0f);
  float* y = room.samples.data() + kReflected;
  for (int n = 0; n + 1 < window.length; n++) y[n] = window.samples[n + 1] - kPreEmphasis * window.samples[n];
  if (window.length < length && window.length > 0) y[window.length - 1] = -kPreEmphasis * window.samples[window.length - 1];
  for (int n = 1; n <= kReflected; n++) {
    y[-n] = y[n];
    y[emphasised - 1 + n] = y[emphasised - 1 - n];
  }
  const long row = static_cast<long>(groups) * kernels_.frames;
  run(groups, [&](int group, int worker) {
    const int first = group * kernels_.frames;
    float* scratch = scratches_[static_cast<size_t>(worker)].mel.data();
    const float* samples = room.samples.data() + static_cast<long>(first) * kEncoderHop;
    kernels_.mel_rows(mel_, samples, kEncoderHop, scratch, room.picture.data() + first, row);
  });
  return {kEncoderBands, frames};
}

template <typename Run>
void AudioEncoder::run_block(const MobileBlock& block, Shape from, Shape to, Room& room, const Run& run) {
  const int groups = groups_of(block.expanded);
  const int rows_each = parts(to.rows, parts_beside(groups));
  const int stripes = parts(to.rows, rows_each);
  room.sums.resize(static_cast<size_t>(stripes * block.expanded));
  grow(room.depthwise, static_cast<size_t>(to.plane()) * static_cast<size_t>(block.expanded));
  run(groups * stripes, [&](int item, int worker) {
    const int group = item / stripes, stripe = item % stripes;
    const int first = stripe * rows_each, last = std::min(to.rows, first + rows_each);
    float* sums = room.sums.data() + stripe * block.expanded + group * kChannelGroup;
    expand_stripe(block, from, to, room, scratches_[static_cast<size_t>(worker)], group, first, last, sums);
  });
  const float* kernel = weighed_kernel(block, to, stripes, room);
  const int out_groups = groups_of(block.out);
  grow(room.output, static_cast<size_t>(to.plane()) * static_cast<size_t>(block.out));
  const int pixels_each = parts(parts(to.pixels(), parts_beside(out_groups)), 3 * kPixelStep) * 3 * kPixelStep;
  const int blocks = parts(to.pixels(), pixels_each);
  run(out_groups * blocks, [&](int item, int) {
    const int channel = item / blocks * kChannelGroup, first = item % blocks * pixels_each;
    const int count = std::min(pixels_each, to.pixels() - first);
    const long at = channel * to.plane() + first;
    const Pointwise project{block.expanded, count, to.plane(), to.plane(), kernel + channel, block.out,
                            bias_of(block.project) + channel, block.adds() ? room.input.data() + at : nullptr,
                            Activation::kNone};
    kernels_.pointwise(project, room.depthwise.data() + first, room.output.data() + at);
  });
}

// Computes rows [first, last) of the depthwise convolution for a group of channels, after expanding only
// the rows that these need.
// @param sums [kChannelGroup], receives the sum of each channel's outputs
void AudioEncoder::expand_stripe(const MobileBlock& block, Shape from, Shape to, Room& room, Scratch& scratch, int group,
                                 int first, int last, float* sums) const {
  const int padding = (block.size - 1) / 2;
  const int top = std::max(0, first * block.stride - padding);
  const int bottom = std::min(from.rows, (last - 1) * block.stride - padding + block.size);
  const int channel = group * kChannelGroup;
  const long start = static_cast<long>(top) * from.columns;
  const float* input = room.input.data() + channel * from.plane() + start;
  long plane = from.plane();
  if (block.expands()) {
    const int pixels = (bottom - top) * from.columns;
    plane = parts(pixels, kPixelStep) * kPixelStep;
    const Pointwise expand{block.in, pixels, from.plane(), plane, kernel_of(block.expand) + channel, block.expanded,
                           bias_of(block.expand) + channel, nullptr, block.activation};
    kernels_.pointwise(expand, room.input.data() + start, scratch.expanded.data());
    input = scratch.expanded.data();
  }
  const int area = block.size * block.size;
  float kernel[25];
  for (int c = 0; c < kChannelGroup; c++) {
    for (int tap = 0; tap < area; tap++) {
      kernel[tap] = kernel_of(block.depthwise)[tap * block.expanded + channel + c];
    }
    const Depthwise depthwise{block.size, block.stride, from.rows, from.columns, to.columns, first, last, top,
                              kernel, bias_of(block.depthwise)[channel + c], block.activation};
    float* output = room.depthwise.data() + (channel + c) * to.plane() + static_cast<long>(first) * to.columns;
    sums[c] = kernels_.depthwise(depthwise, input + c * plane, scratch.rows.data(), output);
  }
}

const float* AudioEncoder::weighed_kernel(const MobileBlock& block, Shape to, int stripes, Room& room) const {
  const float* kernel = kernel_of(block.project);
  if (block.squeezed == 0) return kernel;
  std::array<float, kEncoderFeatures> means, shares;
  std::array<float, 96> squeezed;
  for (int c = 0; c < block.expanded; c++) {
    float sum = 0;
    for (int stripe = 0; stripe < stripes; stripe++) sum += room.sums[static_cast<size_t>(stripe * block.expanded + c)];
    means[static_cast<size_t>(c)] = sum / static_cast<float>(to.pixels());
  }
  kernels_.dense(means.data(), block.expanded, kernel_of(block.squeeze), block.squeezed, bias_of(block.squeeze),
                 block.squeezed, Activation::kRelu, squeezed.data());
  kernels_.dense(squeezed.data(), block.squeezed, kernel_of(block.excite), block.expanded, bias_of(block.excite),
                 block.expanded, Activation::kNone, shares.data());
  for (int c = 0; c < block.expanded; c++) {
    const float share = 1 / (1 + std::exp(-shares[static_cast<size_t>(c)]));
    for (int o = 0; o < block.out; o++) {
      const size_t at = static_cast<size_t>(c * block.out + o);
      room.kernel[at] = share * kernel[at];
    }
  }
  return room.kernel.data();
}

// Computes the last convolution, the mean of each of its channels (the features), and the tags' logits.
template <typename Run>
void AudioEncoder::classify(Room& room, Shape last, const Run& run, float* outputs) {
  run(groups_of(kEncoderFeatures), [&](int group, int worker) {
    const int channel = group * kChannelGroup;
    float* maps = scratches_[static_cast<size_t>(worker)].last.data();
    const Pointwise pointwise{blocks_.back().out, last.pixels(), last.plane(), last.plane(), kernel_of(last_) + channel,
                              kEncoderFeatures, bias_of(last_) + channel, nullptr, Activation::kHardSwish};
    kernels_.pointwise(pointwise, room.input.data(), maps);
    for (int c = 0; c < kChannelGroup; c++) {
      outputs[channel + c] = kernels_.total(maps + c * last.plane(), last.pixels()) / static_cast<float>(last.pixels());
    }
  });
  float hidden[kTagHidden];
  const auto layer = [&](const float* input, int in, const LayerPlace& place, int out, Activation activation, float* to) {
    run(parts(out, kDenseOutputs), [&](int item, int) {
      const int first = item * kDenseOutputs;
      kernels_.dense(input, in, kernel_of(place) + first, out, bias_of(place) + first, std::min(kDenseOutputs, out - first),
                     activation, to + first);
    });
  };
  layer(outputs, kEncoderFeatures, hidden_, kTagHidden, Activation::kHardSwish, hidden);
  layer(hidden, kTagHidden, tags_, kEncoderTags, Activation::kNone, outputs + kEncoderFeatures);
}

}  // namespace earshot
