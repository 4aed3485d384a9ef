#include "audio_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "layout.h"
#include "transform_tables.h"

namespace earshot {

namespace {

constexpr int kTransform = 1024;
// The Hann window is not 0 for 800 samples of a transform, from sample 112 on.
constexpr int kHeard = 800, kStart = (kTransform - kHeard) / 2;
constexpr double kSampleRate = 32'000, kHighestHz = 15'000;
constexpr float kPreEmphasis = 0.97f;
// Number of samples that are reflected at each end.
constexpr int kReflected = kTransform / 2;
// Pictures of earlier windows that are kept for streams: a quarter of a megabyte each for 5 s.
constexpr size_t kCachedPictures = 64;
// Blocks that are hashed as one item of work.
constexpr int kHashedBlocks = 64;

// Number of frames of a window's picture.
int frames_of(const Window& window) {
  return 1 + (std::max(window.length, kEncoderFewestSamples) - 1) / kEncoderHop;
}

double mel_of(double hertz) { return 1127 * std::log(1 + hertz / 700); }

void grow(AlignedArray<float>& array, size_t floats) {
  if (array.size() < floats + kPixelSlack) array = AlignedArray<float>(floats + kPixelSlack);
}

}  // namespace

AudioEncoder::AudioEncoder(const Kernels& kernels, int threads, std::unique_ptr<PictureNetwork> network)
    : kernels_(*kernels.pictures),
      pool_(threads),
      network_(std::move(network)),
      cache_(kEncoderHop, parts(kHeard / 2, kEncoderHop), parts(kHeard / 2 + 1, kEncoderHop) - 1, kCachedPictures) {
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
  twiddles_ = transform_twiddles(kTransform);
  turns_ = transform_turns(kTransform, bins);
  order_ = transform_order(kTransform);
  mel_ = {kTransform,    bins,          kHeard,        kStart,
          window_.data(), twiddles_.data(), order_.data(), turns_.data(),
          kEncoderBands, band_first_.data(), band_count_.data(), band_weights_.data()};
  unkept_.resize(static_cast<size_t>(pool_.threads()));
  const size_t samples = static_cast<size_t>((kernels_.frames - 1) * kEncoderHop + kTransform);
  for (int t = 0; t < pool_.threads(); t++) {
    mel_scratches_.push_back({std::vector<float>(samples), AlignedArray<float>(kernels_.mel_scratch(mel_))});
  }
}

const std::vector<float>& AudioEncoder::encode(const std::vector<Window>& windows) {
  outputs_.resize(windows.size() * kEncoderOutputs);
  for_each_picture(windows, [&](size_t window, const Picture& picture, size_t worker, const Runner& run) {
    network_->run(picture.values, picture.columns, picture.row, worker, run, outputs_of(window));
  });
  return outputs_;
}

const std::vector<float>& AudioEncoder::pictures(const std::vector<Window>& windows) {
  std::vector<size_t> starts;
  size_t total = 0;
  for (const Window& window : windows) {
    starts.push_back(total);
    total += static_cast<size_t>(frames_of(window)) * kEncoderBands;
  }
  pictures_.resize(total);
  for_each_picture(windows, [&](size_t window, const Picture& picture, size_t, const Runner&) {
    float* out = pictures_.data() + starts[window];
    for (int frame = 0; frame < picture.columns; frame++) {
      for (int band = 0; band < kEncoderBands; band++) *out++ = picture.values[band * picture.row + frame];
    }
  });
  return pictures_;
}

void AudioEncoder::for_each_picture(const std::vector<Window>& windows, const PictureWork& work) {
  find_shared(windows);
  for_each_window(windows.size(), [&](size_t window, size_t worker, const Runner& run) {
    const Heard& heard = heard_[window];
    AlignedArray<float>& picture = heard.into == nullptr ? unkept_[worker] : heard.into->picture;
    const int columns = picture_of(windows[window], heard, picture, run);
    work(window, {picture.data(), columns, row_of(columns)}, worker, run);
  });
  for (Heard& heard : heard_) {
    if (heard.into != nullptr) std::swap(heard.into->blocks, heard.blocks);
  }
}

// Finds what the windows share with earlier ones, and where their pictures are kept.
void AudioEncoder::find_shared(const std::vector<Window>& windows) {
  cache_.begin();
  heard_.resize(windows.size());
  int most = 0;
  for (size_t w = 0; w < windows.size(); w++) {
    const int blocks = windows[w].length / kEncoderHop;
    heard_[w].blocks.resize(static_cast<size_t>(blocks));
    most = std::max(most, blocks);
  }
  const int chunks = parts(most, kHashedBlocks);
  pool_.run(static_cast<int>(windows.size()) * chunks, [&](int item, int) {
    const size_t w = static_cast<size_t>(item / chunks);
    const int first = item % chunks * kHashedBlocks;
    hash_blocks(windows[w], heard_[w], first, first + kHashedBlocks);
  });
  for (Heard& heard : heard_) heard.match = cache_.find(heard.blocks);
  for (Heard& heard : heard_) heard.into = cache_.replace();
}

void AudioEncoder::hash_blocks(const Window& window, Heard& heard, int first, int last) const {
  const int end = std::min(last, static_cast<int>(heard.blocks.size()));
  for (int block = first; block < end; block++) {
    heard.blocks[static_cast<size_t>(block)] = cache_.hash(window.samples + static_cast<long>(block) * kEncoderHop);
  }
}

const std::vector<float>& AudioEncoder::encode_pictures(const std::vector<Window>& pictures) {
  outputs_.resize(pictures.size() * kEncoderOutputs);
  for_each_window(pictures.size(), [&](size_t window, size_t worker, const Runner& run) {
    AlignedArray<float>& picture = unkept_[worker];
    const int columns = pictures[window].length / kEncoderBands;
    const size_t row = static_cast<size_t>(row_of(columns));
    grow(picture, kEncoderBands * row);
    for (int band = 0; band < kEncoderBands; band++) {
      std::copy_n(pictures[window].samples + static_cast<long>(band) * columns, columns,
                  picture.data() + static_cast<size_t>(band) * row);
    }
    network_->run(picture.data(), columns, row_of(columns), worker, run, outputs_of(window));
  });
  return outputs_;
}

void AudioEncoder::for_each_window(size_t count, const Work& work) {
  const size_t threads = static_cast<size_t>(pool_.threads()), alone = count / threads * threads;
  // Each thread computes windows of its own; all threads share those that are left.
  if (alone > 0 && threads > 1) {
    pool_.run(static_cast<int>(alone), [&](int item, int worker) {
      const Runner on_this_thread = [worker](int items, const auto& own) {
        for (int i = 0; i < items; i++) own(i, worker);
      };
      work(static_cast<size_t>(item), static_cast<size_t>(worker), on_this_thread);
    });
  }
  const Runner on_all_threads = [this](int items, const auto& item) { pool_.run(items, item); };
  for (size_t w = threads > 1 ? alone : 0; w < count; w++) work(w, 0, on_all_threads);
}

// Computes pre-emphasis, then mel bands of frames of 25 ms every 10 ms, as
// shared/front-end/kaldi-mel.ts.
int AudioEncoder::picture_of(const Window& window, const Heard& heard, AlignedArray<float>& picture, const Runner& run) {
  const int frames = frames_of(window);
  const long row = row_of(frames);
  grow(picture, kEncoderBands * static_cast<size_t>(row));
  if (heard.into != nullptr) heard.into->row = row;
  run(static_cast<int>(row / kernels_.frames), [&](int group, int worker) {
    const int first = group * kernels_.frames;
    float* to = picture.data() + first;
    if (cache_.shares(heard.blocks, heard.match, first, first + kernels_.frames)) {
      const PictureCache::Entry& from = *heard.match.from;
      for (int band = 0; band < kEncoderBands; band++) {
        std::copy_n(from.picture.data() + band * from.row + first + heard.match.shift, kernels_.frames, to + band * row);
      }
      return;
    }
    Scratch& scratch = mel_scratches_[static_cast<size_t>(worker)];
    const int count = static_cast<int>(scratch.samples.size());
    emphasise(window, first * kEncoderHop - kReflected, count, scratch.samples.data());
    kernels_.mel_rows(mel_, scratch.samples.data(), kEncoderHop, scratch.mel.data(), to, row);
  });
  return frames;
}

// Computes `count` samples of the emphasised signal from sample `first` on. It is reflected at both
// ends; what frames behind the last one read of it is 0.
void AudioEncoder::emphasise(const Window& window, int first, int count, float* output) const {
  const int length = std::max(window.length, kEncoderFewestSamples) - 1;
  const int begin = std::clamp(-first, 0, count), end = std::clamp(window.length - 1 - first, begin, count);
  const auto sample = [&](int n) { return n < window.length ? window.samples[n] : 0.0f; };
  const auto emphasised = [&](int n) {
    const int at = n < 0 ? -n : n < length ? n : 2 * (length - 1) - n;
    return at < 0 ? 0.0f : sample(at + 1) - kPreEmphasis * sample(at);
  };
  for (int n = 0; n < begin; n++) output[n] = emphasised(first + n);
  kernels_.emphasise(window.samples + first + begin, end - begin, kPreEmphasis, output + begin);
  for (int n = end; n < count; n++) output[n] = emphasised(first + n);
}

}  // namespace earshot
