#include "small_net.h"

#include <algorithm>

#include "adam_step.h"
#include "layout.h"

namespace earshot {

namespace {

// Largest number of frames in a picture; bounds the memory of a call. It is 20 s at the picture's 20 ms a
// frame.
constexpr size_t kMaxFrames = 1024;
// Largest number of values in a work item of the optimiser.
constexpr size_t kStretch = 16'384;

}  // namespace

SmallNet::SmallNet(const Kernels& kernels, int threads, const SmallSize& size, const SmallOptimiser& optimiser, int features)
    : Network(SmallParameters(size).sizes, kFewestFrames * kSmallBands, size.outputs, 0),
      kernels_(kernels),
      pool_(threads),
      size_(size),
      parameters_(size),
      optimiser_(optimiser),
      features_(features),
      training_(kernels, size, parameters_, features),
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
  for (size_t layer = 0; layer < kSmallLayers; layer++) {
    stretch(parameters_.kernels[layer], parameters_.norms[layer].scale - parameters_.kernels[layer], true, true);
    norm(parameters_.norms[layer]);
  }
  stretch(parameters_.dense_kernel, parameters_.dense_bias - parameters_.dense_kernel, true, true);
  stretch(parameters_.dense_bias, static_cast<size_t>(size_.outputs), true, false);
}

bool SmallNet::accepts(size_t length) const {
  const size_t frames = length / kSmallBands;
  return length % kSmallBands == 0 && frames >= kFewestFrames && frames <= kMaxFrames;
}

void SmallNet::prepare(int frames) {
  if (!plan_ || plan_->frames != frames) {
    rooms_.clear();
    plan_ = std::make_unique<SmallPlan>(size_, frames);
    for (int worker = 0; worker < pool_.threads(); worker++) rooms_.emplace_back(*kernels_.maps, *plan_, size_);
  }
  if (!ready_) weights_.take(judged());
  ready_ = true;
}

void SmallNet::infer(const float* features, int clips, int length, float* logits) {
  prepare(length / kSmallBands);
  const int each = pictures_at_once(clips, pool_.threads());
  pool_.run(parts(clips, each), [&](int item, int worker) {
    const int first = item * each, count = std::min(each, clips - first);
    std::array<const float*, kMostPictures> pictures;
    for (int i = 0; i < count; i++) {
      pictures[static_cast<size_t>(i)] = features + static_cast<size_t>(first + i) * static_cast<size_t>(length);
    }
    float* rows = logits + static_cast<size_t>(first) * static_cast<size_t>(classes);
    rooms_[static_cast<size_t>(worker)].judge(weights_, pictures.data(), count, rows);
  });
}

StepResult SmallNet::gradients(const Batch& batch, float* gradients) {
  return training_.pass(pool_, batch, values.data(), gradients);
}

StepResult SmallNet::step(const Batch& batch, double learning_rate, double step) {
  if (gradients_.size() == 0) gradients_ = AlignedArray<float>(total());
  const StepResult result = gradients(batch, gradients_.data());
  training_.update_running(values.data());
  optimise(learning_rate, step);
  ready_ = false;
  return result;
}

void SmallNet::optimise(double learning_rate, double step) {
  const AdamStep plain = adam_step(learning_rate, step, optimiser_.beta2);
  const AdamStep decaying = adam_step(learning_rate, step, optimiser_.beta2, optimiser_.weight_decay);
  // For the first steps it is near the mean of all of them.
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
