// The cnn's training step: forward with a tape, then backward.
#include <algorithm>

#include "adam_step.h"
#include "cnn.h"
#include "cross_entropy.h"
#include "layout.h"

namespace earshot {

namespace {

// Rows of dense1's kernel in a work item. It is fixed, so that the order of sums does not depend on the
// number of threads.
constexpr int kBackwardRows = 240;

}  // namespace

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

// Computes the loss, and its gradients with respect to the logits and to dense1's outputs.
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

// Computes the gradients of dense1's bias and of dense2, which follow the trunk's in `small`.
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
  // Summed in the order of the clips.
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
