#include "mel.h"

#include <algorithm>

#include "adam_step.h"
#include "layout.h"

namespace earshot {

namespace {

// Largest number of frames in a crop; bounds the memory of a call. It is 20 s at the front end's hop,
// eight times its crop.
constexpr size_t kMaxFrames = 1024;
// Largest number of values in a work item of the optimiser.
constexpr size_t kStretch = 16'384;

}  // namespace

Mel::Mel(const Kernels& kernels, int threads, const MelSize& size, double rate, const MelOptimiser& optimiser, int taught)
    : Network(MelParameters(size).sizes, kFewestFrames * kMelBins, size.classes, 2),
      kernels_(kernels),
      pool_(threads),
      size_(size),
      parameters_(size),
      optimiser_(optimiser),
      taught_(taught),
      training_(kernels, size, parameters_, rate, taught),
      weights_(size, parameters_) {
  const auto stretch = [&](size_t first, size_t count, bool learns, bool decays) {
    for (size_t at = 0; at < count; at += kStretch) {
      stretches_.push_back({first + at, std::min(kStretch, count - at), learns, decays});
    }
  };
  // Weight decay applies to kernels, but not to scales, shifts and biases. Running statistics are not
  // learnt.
  const auto norm = [&](const NormPlace& place) {
    const size_t channels = static_cast<size_t>(place.channels);
    stretch(place.scale, 2 * channels, true, false);
    stretch(place.mean, 2 * channels, false, false);
  };
  norm(parameters_.input_norm);
  for (size_t layer = 0; layer < kMelLayers; layer++) {
    stretch(parameters_.kernels[layer], parameters_.norms[layer].scale - parameters_.kernels[layer], true, true);
    norm(parameters_.norms[layer]);
  }
  stretch(parameters_.dense_kernel, parameters_.dense_bias - parameters_.dense_kernel, true, true);
  stretch(parameters_.dense_bias, static_cast<size_t>(size_.classes), true, false);
}

bool Mel::accepts(size_t length) const {
  const size_t frames = length / kMelBins;
  return length % kMelBins == 0 && frames >= kFewestFrames && frames <= kMaxFrames;
}

void Mel::prepare(int frames) {
  if (!plan_ || plan_->frames != frames) {
    rooms_.clear();
    plan_ = std::make_unique<MelPlan>(size_, frames);
    for (int worker = 0; worker < pool_.threads(); worker++) rooms_.emplace_back(*kernels_.maps, *plan_, size_);
  }
  if (!ready_) weights_.take(judged());
  ready_ = true;
}

void Mel::infer(const float* features, int clips, int length, float* logits) {
  prepare(length / kMelBins);
  const int each = crops_at_once(1, clips, pool_.threads());
  pool_.run(parts(clips, each), [&](int item, int worker) {
    const int first = item * each, count = std::min(each, clips - first);
    std::array<const float*, kMostCrops> crops;
    for (int i = 0; i < count; i++) {
      crops[static_cast<size_t>(i)] = features + static_cast<size_t>(first + i) * static_cast<size_t>(length);
    }
    float* rows = logits + static_cast<size_t>(first) * static_cast<size_t>(classes);
    rooms_[static_cast<size_t>(worker)].judge(weights_, crops.data(), count, rows);
  });
}

StepResult Mel::gradients(const Batch& batch, float* gradients) {
  return training_.pass(pool_, batch, values.data(), gradients);
}

StepResult Mel::step(const Batch& batch, double learning_rate, double step) {
  if (gradients_.size() == 0) gradients_ = AlignedArray<float>(total());
  const StepResult result = gradients(batch, gradients_.data());
  training_.update_running(values.data());
  optimise(learning_rate, step);
  ready_ = false;
  return result;
}

void Mel::optimise(double learning_rate, double step) {
  const AdamStep plain = adam_step(learning_rate, step, optimiser_.beta2);
  const AdamStep decaying = adam_step(learning_rate, step, optimiser_.beta2, optimiser_.weight_decay);
  // As in services/trainer/optimise/optimiser.ts: for the first steps it is near the mean of all of
  // them.
  const double decay = std::min(optimiser_.average_decay, step / (step + 9));
  pool_.run(static_cast<int>(stretches_.size()), [&](int item, int) {
    const auto [at, count, learns, decays] = stretches_[static_cast<size_t>(item)];
    if (learns) {
      kernels_.dense->adam({values.data() + at, first_moments.data() + at, second_moments.data() + at},
                           gradients_.data() + at, count, decays ? decaying : plain);
    }
    if (averages.size() == 0) return;
    kernels_.dense->average(averages.data() + at, values.data() + at, count, static_cast<float>(1 - decay));
  });
}

}  // namespace earshot
