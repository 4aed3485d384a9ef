#include "cnn.h"

#include <algorithm>

#include "half.h"
#include "layout.h"

namespace earshot {

namespace {

// Rows of dense1's kernel in a work item. It is fixed, so that the order of sums does not depend on the
// number of threads.
constexpr int kProductRows = 1000;

// Splits tokens [first, last) evenly into work items. Items of equal size keep the threads equally busy.
template <typename Range>
void add_ranges(std::vector<Range>& ranges, int clip, int first, int last) {
  const int step = parts(last - first, parts(last - first, kTrunkMaxTokens));
  for (int start = first; start < last; start += step) ranges.push_back({clip, start, std::min(last, start + step)});
}

}  // namespace

Cnn::Cnn(const Kernels& kernels, int threads, int samples, int classes, double rate, std::unique_ptr<FrameCache> cache)
    : Network({kernel_floats(kTrunkBlocks[0]), static_cast<size_t>(kTrunkBlocks[0].out),
               kernel_floats(kTrunkBlocks[1]), static_cast<size_t>(kTrunkBlocks[1].out),
               kernel_floats(kTrunkBlocks[2]), static_cast<size_t>(kTrunkBlocks[2].out),
               static_cast<size_t>(TrunkShape::of(samples).tokens) * kTokenWidth * kHidden, kHidden,
               static_cast<size_t>(kHidden) * classes, static_cast<size_t>(classes)},
              samples, classes, 4),
      kernels_(kernels),
      pool_(threads),
      trunk_(kernels, samples, threads),
      rate_(rate),
      cache_(std::move(cache)),
      flat_(trunk_.shape().tokens * kTokenWidth),
      kernel1_floats_(static_cast<size_t>(flat_) * kHidden) {}

void Cnn::weights_changed() {
  trunk_.set_weights(values.data());
  if (!cache_) return;
  cache_->clear();
  keep_half_kernel();
}

// Copies dense1's kernel in half precision if that is exact, as it is for published weights. For a
// single window of a stream most of the time goes into reading this kernel, which the copy halves. Its
// rows are in the order of the trunk's outputs, token by token.
void Cnn::keep_half_kernel() {
  half_kernel1_ = AlignedArray<uint16_t>();
  if (kernels_.dense->product_half == nullptr) return;
  AlignedArray<uint16_t> halves(kernel1_floats_);
  const int tokens = trunk_.shape().tokens;
  for (int channel = 0; channel < kTokenWidth; channel++) {
    for (int token = 0; token < tokens; token++) {
      const float* from = dense1_kernel() + (static_cast<size_t>(channel) * tokens + token) * kHidden;
      uint16_t* to = halves.data() + (static_cast<size_t>(token) * kTokenWidth + channel) * kHidden;
      for (int o = 0; o < kHidden; o++) {
        if (!to_half(from[o], &to[o])) return;
      }
    }
  }
  half_kernel1_ = std::move(halves);
}

void Cnn::reserve(int clips) {
  if (work_.clips >= clips) return;
  work_ = Workspace{};
  const size_t count = static_cast<size_t>(clips);
  work_.tokens = AlignedArray<float>(count * flat_);
  work_.flat = AlignedArray<float>(count * flat_);
  work_.partial = AlignedArray<float>(count * parts(flat_, kProductRows) * kHidden);
  work_.hidden = AlignedArray<float>(count * kHidden);
  work_.logits = AlignedArray<float>(count * classes);
  work_.clips = clips;
}

void Cnn::infer(const float* features, int clips, int, float* logits) {
  reserve(clips);
  const int tokens = trunk_.shape().tokens;
  if (cache_) {
    infer_frames(features, clips);
  } else {
    std::vector<Range> ranges;
    for (int clip = 0; clip < clips; clip++) {
      add_ranges(ranges, clip, 0, tokens);
    }
    infer_ranges(features, ranges);
  }
  if (!takes_half(clips)) {
    pool_.run(clips, [&](int clip, int) {
      // Transposed to channel by channel, as PyTorch flattens [16, tokens].
      transpose(tokens_of(clip, 0), tokens, kTokenWidth, work_.flat.data() + static_cast<size_t>(clip) * flat_);
    });
  }
  dense_forward(clips);
  std::copy_n(work_.logits.data(), static_cast<size_t>(clips) * classes, logits);
}

void Cnn::infer_ranges(const float* features, const std::vector<Range>& ranges) {
  pool_.run(static_cast<int>(ranges.size()), [&](int item, int worker) {
    const auto [clip, first, last] = ranges[static_cast<size_t>(item)];
    trunk_.infer(features + static_cast<size_t>(clip) * inputs, first, last, tokens_of(clip, first), worker);
  });
}

// Computes the tokens of a batch, those of known frames from the cache. The bits are the same as when
// all are computed.
void Cnn::infer_frames(const float* features, int clips) {
  const int length = cache_->frame_samples(), per_frame = cache_->frame_tokens();
  const int per_clip = inputs / length;
  const size_t rest_floats = static_cast<size_t>(per_frame - 1) * kTokenWidth;
  std::vector<FrameWork> frames(static_cast<size_t>(clips) * per_clip);
  // A clip's features are its frames one after the other, so frame indices run through the whole batch.
  const auto samples_of = [&](size_t frame) { return features + frame * length; };
  const auto tokens_at = [&](size_t frame) {
    const int at = static_cast<int>(frame);
    return tokens_of(at / per_clip, at % per_clip * per_frame);
  };
  const auto previous_id = [&](size_t frame) { return frame % per_clip == 0 ? 0 : frames[frame - 1].id; };
  pool_.run(static_cast<int>(frames.size()), [&](int item, int) {
    const size_t at = static_cast<size_t>(item);
    frames[at].hash = cache_->hash(samples_of(at));
    frames[at].known = cache_->find(frames[at].hash, samples_of(at));
    if (frames[at].known == nullptr) return;
    frames[at].id = frames[at].known->id;
    std::copy_n(frames[at].known->tokens.data(), rest_floats + kTokenWidth, tokens_at(at));
  });
  std::vector<Range> ranges;
  std::unordered_map<uint64_t, int> fresh;
  for (size_t at = 0; at < frames.size(); at++) {
    FrameWork& frame = frames[at];
    const int clip = static_cast<int>(at) / per_clip, first = static_cast<int>(at) % per_clip * per_frame;
    if (frame.known != nullptr) {
      cache_->touch(frame.hash);
      const uint64_t previous = previous_id(at);
      frame.first = previous != 0 && frame.known->previous == previous;
      if (frame.first) continue;
    } else if (const auto [earlier, added] = fresh.try_emplace(frame.hash, static_cast<int>(at)); !added) {
      const float* same = samples_of(static_cast<size_t>(earlier->second));
      if (std::memcmp(same, samples_of(at), sizeof(float) * static_cast<size_t>(length)) == 0) {
        frame.same_as = earlier->second;
      }
    }
    add_ranges(ranges, clip, first, frame.known != nullptr || frame.same_as >= 0 ? first + 1 : first + per_frame);
  }
  infer_ranges(features, ranges);
  for (size_t at = 0; at < frames.size(); at++) {
    FrameWork& frame = frames[at];
    if (frame.same_as >= 0) {
      const size_t same = static_cast<size_t>(frame.same_as);
      std::copy_n(tokens_at(same) + kTokenWidth, rest_floats, tokens_at(at) + kTokenWidth);
      frame.id = frames[same].id;
    } else if (frame.known == nullptr) {
      frame.id = cache_->put(frame.hash, samples_of(at), tokens_at(at));
    }
    if (const uint64_t previous = previous_id(at); !frame.first && previous != 0) {
      cache_->put_first(frame.hash, frame.id, previous, tokens_at(at));
    }
  }
}

void Cnn::dense_forward(int clips) {
  const int chunks = parts(flat_, kProductRows);
  const size_t floats = static_cast<size_t>(clips) * kHidden;
  pool_.run(chunks, [&](int chunk, int) {
    const int first = chunk * kProductRows;
    if (takes_half(clips)) {
      kernels_.dense->product_half(work_.tokens.data(), half_kernel1_.data(), first,
                                   std::min(flat_, first + kProductRows), work_.partial.data() + chunk * floats);
      return;
    }
    kernels_.dense->product(work_.flat.data(), static_cast<size_t>(flat_), clips, dense1_kernel(), first,
                            std::min(flat_, first + kProductRows), work_.partial.data() + chunk * floats);
  });
  for (int clip = 0; clip < clips; clip++) {
    float* hidden = work_.hidden.data() + clip * kHidden;
    std::copy_n(dense1_bias(), kHidden, hidden);
    for (int chunk = 0; chunk < chunks; chunk++) {
      const float* partial = work_.partial.data() + chunk * floats + clip * kHidden;
      for (int o = 0; o < kHidden; o++) hidden[o] += partial[o];
    }
    float* logits = work_.logits.data() + static_cast<size_t>(clip) * classes;
    std::copy_n(dense2_bias(), classes, logits);
    for (int o = 0; o < kHidden; o++) {
      hidden[o] = hidden[o] < 0 ? 0 : hidden[o];  // keeps a NaN
      for (int c = 0; c < classes; c++) logits[c] += hidden[o] * dense2_kernel()[o * classes + c];
    }
  }
}

}  // namespace earshot
