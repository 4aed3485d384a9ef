#include "cnn.h"

#include <algorithm>

#include "adam_step.h"
#include "cross_entropy.h"

namespace earshot {

namespace {

// Rows of dense1's kernel an item; fixed, so that sums are taken in one order whatever the threads.
constexpr int kProductRows = 1000;
constexpr int kBackwardRows = 240;

int parts(int whole, int size) { return (whole + size - 1) / size; }

// [rows][columns] → [columns][rows]
void transpose(const float* from, int rows, int columns, float* to) {
  constexpr int kBlock = 16;
  for (int start = 0; start < rows; start += kBlock) {
    const int end = std::min(rows, start + kBlock);
    for (int column = 0; column < columns; column++) {
      for (int row = start; row < end; row++) {
        to[static_cast<size_t>(column) * rows + row] = from[static_cast<size_t>(row) * columns + column];
      }
    }
  }
}

// Cut into what one item of work takes.
template <typename Range>
void add_ranges(std::vector<Range>& ranges, int clip, int first, int last) {
  for (int start = first; start < last; start += kTrunkMaxTokens) {
    ranges.push_back({clip, start, std::min(last, start + kTrunkMaxTokens)});
  }
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
  if (cache_) cache_->clear();
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

void Cnn::reserve_training(int clips) {
  reserve(clips);
  if (training_.clips >= clips) return;
  training_ = TrainingSpace{};
  const size_t count = static_cast<size_t>(clips);
  for (int clip = 0; clip < clips; clip++) training_.tapes.push_back(std::make_unique<TrunkTape>(trunk_.shape()));
  training_.d_flat = AlignedArray<float>(count * flat_);
  training_.d_tokens = AlignedArray<float>(static_cast<size_t>(pool_.threads()) * flat_);
  training_.d_logits = AlignedArray<float>(count * classes);
  training_.d_hidden = AlignedArray<float>(count * kHidden);
  training_.d_hidden_t = AlignedArray<float>((count + 15) / 16 * 16 * kHidden);
  training_.d_trunk = AlignedArray<float>(count * kTrunkParameters);
  training_.small = AlignedArray<float>(total() - kernel1_floats_);
  training_.clips = clips;
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
  pool_.run(clips, [&](int clip, int) {
    // Channel by channel, as PyTorch flattens [16, tokens].
    transpose(tokens_of(clip, 0), tokens, kTokenWidth, work_.flat.data() + static_cast<size_t>(clip) * flat_);
  });
  dense_forward(clips);
  std::copy_n(work_.logits.data(), static_cast<size_t>(clips) * classes, logits);
}

void Cnn::infer_ranges(const float* features, const std::vector<Range>& ranges) {
  pool_.run(static_cast<int>(ranges.size()), [&](int item, int worker) {
    const auto [clip, first, last] = ranges[static_cast<size_t>(item)];
    trunk_.infer(features + static_cast<size_t>(clip) * inputs, first, last, tokens_of(clip, first), worker);
  });
}

// The tokens of a batch, those of known frames from the cache: the same bits as when all are computed.
void Cnn::infer_frames(const float* features, int clips) {
  const int length = cache_->frame_samples(), per_frame = cache_->frame_tokens();
  const int per_clip = inputs / length;
  const size_t kept_floats = static_cast<size_t>(per_frame - 1) * kTokenWidth;
  std::vector<FrameWork> frames(static_cast<size_t>(clips) * per_clip);
  // A clip's features are its frames end to end: frame after frame through the whole batch.
  const auto samples_of = [&](size_t frame) { return features + frame * length; };
  // All tokens of a frame but its first, which the frame before it has a part in.
  const auto kept_tokens = [&](size_t frame) {
    const int at = static_cast<int>(frame);
    return tokens_of(at / per_clip, at % per_clip * per_frame + 1);
  };
  pool_.run(static_cast<int>(frames.size()), [&](int item, int) {
    const size_t at = static_cast<size_t>(item);
    frames[at].hash = cache_->hash(samples_of(at));
    const float* tokens = cache_->find(frames[at].hash, samples_of(at));
    frames[at].known = tokens != nullptr;
    if (tokens != nullptr) std::copy_n(tokens, kept_floats, kept_tokens(at));
  });
  std::vector<Range> ranges;
  std::unordered_map<uint64_t, int> fresh;
  for (size_t at = 0; at < frames.size(); at++) {
    FrameWork& frame = frames[at];
    const int clip = static_cast<int>(at) / per_clip, first = static_cast<int>(at) % per_clip * per_frame;
    if (frame.known) {
      cache_->touch(frame.hash);
    } else if (const auto [earlier, added] = fresh.try_emplace(frame.hash, static_cast<int>(at)); !added) {
      const float* same = samples_of(static_cast<size_t>(earlier->second));
      if (std::memcmp(same, samples_of(at), sizeof(float) * static_cast<size_t>(length)) == 0) {
        frame.same_as = earlier->second;
      }
    }
    add_ranges(ranges, clip, first, frame.known || frame.same_as >= 0 ? first + 1 : first + per_frame);
  }
  infer_ranges(features, ranges);
  for (size_t at = 0; at < frames.size(); at++) {
    if (frames[at].same_as >= 0) {
      std::copy_n(kept_tokens(static_cast<size_t>(frames[at].same_as)), kept_floats, kept_tokens(at));
    } else if (!frames[at].known) {
      cache_->put(frames[at].hash, samples_of(at), kept_tokens(at));
    }
  }
}

void Cnn::dense_forward(int clips) {
  const int chunks = parts(flat_, kProductRows);
  const size_t floats = static_cast<size_t>(clips) * kHidden;
  pool_.run(chunks, [&](int chunk, int) {
    const int first = chunk * kProductRows;
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
      hidden[o] = hidden[o] < 0 ? 0 : hidden[o];  // a NaN comes through
      for (int c = 0; c < classes; c++) logits[c] += hidden[o] * dense2_kernel()[o * classes + c];
    }
  }
}

// The loss, and its gradients by the logits and by dense1's outputs.
StepResult Cnn::losses(const Batch& batch) {
  StepResult result{0, 0};
  const int padded = parts(batch.clips, 16) * 16;
  std::fill_n(training_.d_hidden_t.data(), static_cast<size_t>(padded) * kHidden, 0.0f);
  for (int clip = 0; clip < batch.clips; clip++) {
    const float* logits = work_.logits.data() + static_cast<size_t>(clip) * classes;
    float* d_logits = training_.d_logits.data() + static_cast<size_t>(clip) * classes;
    const StepResult clip_result = cross_entropy(logits, classes, batch.labels[clip], 1.0 / batch.clips, d_logits);
    result.loss += clip_result.loss;
    result.correct += clip_result.correct;
    const float* hidden = work_.hidden.data() + clip * kHidden;
    float* d_hidden = training_.d_hidden.data() + clip * kHidden;
    for (int o = 0; o < kHidden; o++) {
      float gradient = 0;
      for (int c = 0; c < classes; c++) gradient += dense2_kernel()[o * classes + c] * d_logits[c];
      d_hidden[o] = hidden[o] > 0 ? gradient : 0;
      training_.d_hidden_t[static_cast<size_t>(o) * padded + clip] = d_hidden[o];
    }
  }
  return result;
}

// The gradients of dense1's bias and of dense2, behind the trunk's in `small`.
void Cnn::d_dense2(int clips) {
  float* bias1 = training_.small.data() + kTrunkParameters;
  float* kernel2 = bias1 + kHidden;
  float* bias2 = kernel2 + static_cast<size_t>(kHidden) * classes;
  std::fill(bias1, training_.small.data() + training_.small.size(), 0.0f);
  for (int clip = 0; clip < clips; clip++) {
    const float* hidden = work_.hidden.data() + clip * kHidden;
    const float* d_hidden = training_.d_hidden.data() + clip * kHidden;
    const float* d_logits = training_.d_logits.data() + static_cast<size_t>(clip) * classes;
    for (int o = 0; o < kHidden; o++) {
      bias1[o] += d_hidden[o];
      for (int c = 0; c < classes; c++) kernel2[o * classes + c] += hidden[o] * d_logits[c];
    }
    for (int c = 0; c < classes; c++) bias2[c] += d_logits[c];
  }
}

ClipDropout Cnn::dropout_of(const Batch& batch, int clip) const {
  const uint32_t* words = batch.masks + static_cast<size_t>(clip) * mask_words;
  return {rate_, words[0], {words[1], words[2], words[3]}};
}

StepResult Cnn::pass(const Batch& batch, const AdamStep* step, float* gradients) {
  reserve_training(batch.clips);
  const int tokens = trunk_.shape().tokens;
  pool_.run(batch.clips, [&](int clip, int worker) {
    TrunkTape& tape = *training_.tapes[static_cast<size_t>(clip)];
    trunk_.forward(batch.features + static_cast<size_t>(clip) * inputs, dropout_of(batch, clip), tape, worker);
    transpose(tape.tokens(), tokens, kTokenWidth, work_.flat.data() + static_cast<size_t>(clip) * flat_);
  });
  dense_forward(batch.clips);
  const StepResult result = losses(batch);
  d_dense2(batch.clips);
  backward(batch, step, gradients == nullptr ? nullptr : gradients + kTrunkParameters);
  return result;
}

void Cnn::backward(const Batch& batch, const AdamStep* step, float* d_kernel1) {
  const int tokens = trunk_.shape().tokens;
  DenseBackward dense{};
  dense.clips = batch.clips;
  dense.inputs = work_.flat.data();
  dense.input_stride = static_cast<size_t>(flat_);
  dense.d_outputs = training_.d_hidden.data();
  dense.d_outputs_t = training_.d_hidden_t.data();
  dense.d_inputs = training_.d_flat.data();
  dense.gradient = d_kernel1;
  if (step != nullptr) {
    dense.step = *step;
    dense.kernel = {dense1_kernel(), first_moments.data() + kTrunkParameters, second_moments.data() + kTrunkParameters};
  } else {
    dense.kernel = {dense1_kernel(), nullptr, nullptr};
  }
  pool_.run(parts(flat_, kBackwardRows), [&](int part, int) {
    const int first = part * kBackwardRows;
    kernels_.dense->backward(dense, first, std::min(flat_, first + kBackwardRows));
  });
  pool_.run(batch.clips, [&](int clip, int worker) {
    const size_t at = static_cast<size_t>(clip);
    float* d_tokens = training_.d_tokens.data() + static_cast<size_t>(worker) * flat_;
    transpose(training_.d_flat.data() + at * flat_, kTokenWidth, tokens, d_tokens);
    trunk_.backward(batch.features + at * inputs, dropout_of(batch, clip), *training_.tapes[at], d_tokens,
                    training_.d_trunk.data() + at * kTrunkParameters, worker);
  });
  // Clip after clip, in their order.
  std::copy_n(training_.d_trunk.data(), kTrunkParameters, training_.small.data());
  for (int clip = 1; clip < batch.clips; clip++) {
    const float* more = training_.d_trunk.data() + static_cast<size_t>(clip) * kTrunkParameters;
    for (int i = 0; i < kTrunkParameters; i++) training_.small[static_cast<size_t>(i)] += more[i];
  }
}

StepResult Cnn::step(const Batch& batch, double learning_rate, double step) {
  const AdamStep adam = adam_step(learning_rate, step);
  const StepResult result = pass(batch, &adam, nullptr);
  const auto update = [&](size_t at, const float* gradients, size_t count) {
    kernels_.dense->adam({values.data() + at, first_moments.data() + at, second_moments.data() + at}, gradients, count,
                         adam);
  };
  update(0, training_.small.data(), kTrunkParameters);
  update(kTrunkParameters + kernel1_floats_, training_.small.data() + kTrunkParameters,
         training_.small.size() - kTrunkParameters);
  weights_changed();
  return result;
}

StepResult Cnn::gradients(const Batch& batch, float* gradients) {
  const StepResult result = pass(batch, nullptr, gradients);
  std::copy_n(training_.small.data(), kTrunkParameters, gradients);
  std::copy(training_.small.data() + kTrunkParameters, training_.small.data() + training_.small.size(),
            gradients + kTrunkParameters + kernel1_floats_);
  return result;
}

}  // namespace earshot
