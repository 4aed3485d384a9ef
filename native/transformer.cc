#include "transformer.h"

#include <algorithm>

#include "adam_step.h"
#include "cross_entropy.h"

namespace earshot {

namespace {

// Number of clips whose inference runs together; bounds the memory of a call.
constexpr int kGroupClips = 8;
// Parameters in a work item that adds up the clips' gradients.
constexpr size_t kSumParameters = 4096;

std::vector<size_t> tensor_sizes(const EncoderShape& shape) {
  const size_t hidden = static_cast<size_t>(shape.hidden), classes = static_cast<size_t>(shape.classes);
  std::vector<size_t> sizes;
  for (const TrunkBlock& block : kTrunkBlocks) {
    sizes.push_back(static_cast<size_t>(kernel_floats(block)));
    sizes.push_back(static_cast<size_t>(block.out));
  }
  sizes.push_back(kTokenWidth);
  for (int block = 0; block < kAttentionBlocks; block++) {
    for (int projection = 0; projection < 4; projection++) {
      sizes.push_back(AttentionLayout::matrix);
      sizes.push_back(kTokenWidth);
    }
    sizes.insert(sizes.end(), {kTokenWidth, kTokenWidth});
  }
  sizes.insert(sizes.end(), {kTokenWidth * hidden, hidden, hidden * kTokenWidth, kTokenWidth, kTokenWidth, kTokenWidth,
                             kTokenWidth * classes, classes});
  return sizes;
}

EncoderShape shape_of(int samples, int heads, int hidden, int classes) {
  return EncoderShape::of(TrunkShape::of(samples).tokens, heads, hidden, classes);
}

}  // namespace

Transformer::Transformer(const Kernels& kernels, int threads, int samples, int classes, double rate, int heads,
                         int hidden)
    : Network(tensor_sizes(shape_of(samples, heads, hidden, classes)), samples, classes, 1 + kAttentionBlocks + 1),
      kernels_(kernels),
      pool_(threads),
      trunk_(kernels, samples, threads),
      encoder_(kernels, shape_of(samples, heads, hidden, classes), threads),
      rate_(rate) {}

void Transformer::weights_changed() { trunk_.set_weights(values.data()); }

void Transformer::infer(const float* features, int clips, int, float* logits) {
  for (int first = 0; first < clips; first += kGroupClips) {
    const size_t at = static_cast<size_t>(first);
    infer_group(features + at * static_cast<size_t>(inputs), std::min(kGroupClips, clips - first),
                logits + at * static_cast<size_t>(classes));
  }
}

void Transformer::infer_group(const float* features, int clips, float* logits) {
  const int tokens = trunk_.shape().tokens;
  while (static_cast<int>(passes_.size()) < clips) {
    const size_t floats = static_cast<size_t>(tokens) * kTokenWidth;
    passes_.push_back(std::unique_ptr<Pass>(new Pass{AlignedArray<float>(floats), EncoderPass(encoder_.shape())}));
  }
  const auto pass = [&](int clip) -> Pass& { return *passes_[static_cast<size_t>(clip)]; };
  const int ranges = (tokens + kTrunkMaxTokens - 1) / kTrunkMaxTokens;
  pool_.run(clips * ranges, [&](int item, int worker) {
    const int clip = item / ranges, first = item % ranges * kTrunkMaxTokens;
    trunk_.infer(features + static_cast<size_t>(clip) * static_cast<size_t>(inputs), first,
                 std::min(tokens, first + kTrunkMaxTokens),
                 pass(clip).tokens.data() + static_cast<size_t>(first) * kTokenWidth, worker);
  });
  const int tiles = encoder_.tiles();
  for (int stage = 0; stage < Encoder::kStages; stage++) {
    pool_.run(clips * tiles, [&](int item, int) {
      Pass& of = pass(item / tiles);
      encoder_.infer_tile(encoder_weights(), stage, item % tiles, of.tokens.data(), of.encoder);
    });
  }
  pool_.run(clips, [&](int clip, int) {
    encoder_.classify(encoder_weights(), pass(clip).encoder, logits + static_cast<size_t>(clip * classes));
  });
}

// The report's table of this network lists no dropout in the trunk.
constexpr ClipDropout kNoTrunkDropout = {0, 0, {}};

// Computes the forward and the backward pass of one clip. @param gradients [total()], overwritten
StepResult Transformer::clip_pass(const Batch& batch, int clip, int worker, float* gradients) {
  Workplace& place = *workplaces_[static_cast<size_t>(worker)];
  const float* samples = batch.features + static_cast<size_t>(clip) * static_cast<size_t>(inputs);
  const uint32_t* words = batch.masks + static_cast<size_t>(clip) * static_cast<size_t>(mask_words);
  const EncoderDropout dropout = {rate_, words[0], {words[1], words[2], words[3], words[4], words[5]}};
  trunk_.forward(samples, kNoTrunkDropout, place.trunk, worker);
  encoder_.forward(encoder_weights(), place.trunk.tokens(), dropout, place.encoder, place.logits.data(), worker);
  const StepResult result =
      cross_entropy(place.logits.data(), classes, batch.labels[clip], 1.0 / batch.clips, place.d_logits.data());
  encoder_.backward(encoder_weights(), dropout, place.encoder, place.d_logits.data(), place.d_tokens.data(),
                    gradients + kTrunkParameters, worker);
  trunk_.backward(samples, kNoTrunkDropout, place.trunk, place.d_tokens.data(), gradients, worker);
  return result;
}

StepResult Transformer::pass(const Batch& batch, float* gradients) {
  const size_t clips = static_cast<size_t>(batch.clips), parameters = total();
  while (static_cast<int>(workplaces_.size()) < pool_.threads()) {
    const size_t floats = static_cast<size_t>(trunk_.shape().tokens) * kTokenWidth;
    workplaces_.push_back(std::unique_ptr<Workplace>(new Workplace{
        TrunkTape(trunk_.shape()), EncoderTape(encoder_.shape()), AlignedArray<float>(floats),
        AlignedArray<float>(static_cast<size_t>(classes)), AlignedArray<float>(static_cast<size_t>(classes))}));
  }
  if (clip_gradients_.size() < clips * parameters) clip_gradients_ = AlignedArray<float>(clips * parameters);
  std::vector<StepResult> results(clips);
  pool_.run(batch.clips, [&](int clip, int worker) {
    const size_t at = static_cast<size_t>(clip);
    results[at] = clip_pass(batch, clip, worker, clip_gradients_.data() + at * parameters);
  });
  // Summed in the order of the clips.
  const size_t parts = (parameters + kSumParameters - 1) / kSumParameters;
  pool_.run(static_cast<int>(parts), [&](int part, int) {
    const size_t first = static_cast<size_t>(part) * kSumParameters;
    const size_t last = std::min(parameters, first + kSumParameters);
    std::copy(clip_gradients_.data() + first, clip_gradients_.data() + last, gradients + first);
    for (size_t clip = 1; clip < clips; clip++) {
      const float* more = clip_gradients_.data() + clip * parameters;
      for (size_t i = first; i < last; i++) gradients[i] += more[i];
    }
  });
  StepResult sum{0, 0};
  for (const StepResult& result : results) {
    sum.loss += result.loss;
    sum.correct += result.correct;
  }
  return sum;
}

StepResult Transformer::step(const Batch& batch, double learning_rate, double step) {
  if (gradients_.size() == 0) gradients_ = AlignedArray<float>(total());
  const StepResult result = pass(batch, gradients_.data());
  const AdamStep adam = adam_step(learning_rate, step);
  kernels_.dense->adam({values.data(), first_moments.data(), second_moments.data()}, gradients_.data(), total(), adam);
  weights_changed();
  return result;
}

StepResult Transformer::gradients(const Batch& batch, float* gradients) { return pass(batch, gradients); }

}  // namespace earshot
