#include "mel.h"

#include <algorithm>

#include "adam_step.h"

namespace earshot {

namespace {

// Bounds the memory that a call can ask for: 20 s of frames at the front end's hop, eight times its crop.
constexpr size_t kMaxFrames = 1024;

}  // namespace

Mel::Mel(const Kernels& kernels, int threads, const MelSize& size, double rate, const MelOptimiser& optimiser)
    : Network(MelParameters(size).sizes, kMelBins, size.classes, 2),
      kernels_(kernels),
      pool_(threads),
      size_(size),
      parameters_(size),
      optimiser_(optimiser),
      training_(kernels, size, parameters_, rate) {
  norms_.emplace_back(kMelBins);
  for (const NormPlace& place : parameters_.norms) norms_.emplace_back(place.channels);
}

bool Mel::accepts(size_t length) const {
  return length % kMelBins == 0 && length / kMelBins <= kMaxFrames && MelPlan::fits(static_cast<int>(length / kMelBins));
}

void Mel::prepare(int frames) {
  if (!plan_ || plan_->frames != frames) {
    plan_ = std::make_unique<MelPlan>(size_, frames);
    tapes_.clear();
    statistics_.clear();
    for (int worker = 0; worker < pool_.threads(); worker++) {
      tapes_.emplace_back(*plan_);
      statistics_.emplace_back(static_cast<size_t>(size_.statistics()));
    }
  }
  if (ready_) return;
  packed_.clear();
  norms_[0].use_running(judged(), parameters_.input_norm);
  for (size_t layer = 0; layer < kMelLayers; layer++) {
    packed_.emplace_back(plan_->layers[layer].kernel_floats());
    pack_forward(plan_->layers[layer], judged() + parameters_.kernels[layer], packed_[layer].data());
    norms_[layer + 1].use_running(judged(), parameters_.norms[layer]);
  }
  ready_ = true;
}

void Mel::infer(const float* features, int clips, int length, float* logits) {
  prepare(length / kMelBins);
  const MelPass pass{*kernels_.maps, *plan_, norms_, packed_};
  const float* kernel = judged() + parameters_.dense_kernel;
  const float* bias = judged() + parameters_.dense_bias;
  pool_.run(clips, [&](int clip, int worker) {
    MelTape& tape = tapes_[static_cast<size_t>(worker)];
    const float* crop = features + static_cast<size_t>(clip) * static_cast<size_t>(length);
    for (int layer = 0; layer < kMelLayers; layer++) run_layer(pass, layer, crop, tape);
    const float* statistics = statistics_[static_cast<size_t>(worker)].data();
    over_time(pass, tape, statistics_[static_cast<size_t>(worker)].data());
    float* row = logits + static_cast<size_t>(clip) * static_cast<size_t>(classes);
    std::copy_n(bias, classes, row);
    for (int i = 0; i < size_.statistics(); i++) {
      for (int c = 0; c < classes; c++) row[c] += statistics[i] * kernel[i * classes + c];
    }
  });
}

StepResult Mel::gradients(const Batch& batch, float* gradients) {
  return training_.pass(pool_, batch, values.data(), gradients);
}

StepResult Mel::step(const Batch& batch, double learning_rate, double step) {
  if (gradients_.size() == 0) gradients_ = AlignedArray<float>(total());
  const StepResult result = gradients(batch, gradients_.data());
  training_.update_running(values.data());
  optimise(gradients_, learning_rate, step);
  if (averages.size() > 0) average(step);
  ready_ = false;
  return result;
}

// Kernels are drawn to zero, scales, shifts and biases are not.
void Mel::optimise(const AlignedArray<float>& gradients, double learning_rate, double step) {
  const auto update = [&](size_t at, size_t count, bool decays) {
    const AdamStep adam = adam_step(learning_rate, step, optimiser_.beta2, decays ? optimiser_.weight_decay : 0);
    kernels_.dense->adam({values.data() + at, first_moments.data() + at, second_moments.data() + at},
                         gradients.data() + at, count, adam);
  };
  const auto update_norm = [&](const NormPlace& place) {
    update(place.scale, static_cast<size_t>(place.channels), false);
    update(place.shift, static_cast<size_t>(place.channels), false);
  };
  update_norm(parameters_.input_norm);
  for (size_t layer = 0; layer < kMelLayers; layer++) {
    const NormPlace& place = parameters_.norms[layer];
    update(parameters_.kernels[layer], place.scale - parameters_.kernels[layer], true);
    update_norm(place);
  }
  update(parameters_.dense_kernel, parameters_.dense_bias - parameters_.dense_kernel, true);
  update(parameters_.dense_bias, static_cast<size_t>(size_.classes), false);
}

// services/trainer/optimiser.ts: over few steps it is the mean of all of them.
void Mel::average(double step) {
  const float decay = static_cast<float>(std::min(optimiser_.average_decay, step / (step + 9)));
  for (size_t i = 0; i < total(); i++) averages[i] = averages[i] * decay + values[i] * (1 - decay);
}

}  // namespace earshot
