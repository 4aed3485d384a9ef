#include "mel_training.h"

#include <algorithm>
#include <cmath>

#include "cross_entropy.h"
#include "distillation.h"
#include "dropout_mask.h"

namespace earshot {

namespace {

constexpr int kHeadLayer = kMelLayers - 1;
// Rows of a kernel's gradient in a work item.
constexpr int kSumRows = 96;

int parts(int whole, int size) { return (whole + size - 1) / size; }

// Lays out a kernel for the backward convolution: taps in reverse order, in and out exchanged.
void pack_backward(const MelLayer& layer, const float* kernel, float* packed) {
  const int taps = layer.backward.tap_rows * layer.backward.tap_columns;
  const int inputs = layer.kernel_rows / taps;
  for (int tap = 0; tap < taps; tap++) {
    const float* from = kernel + static_cast<size_t>(taps - 1 - tap) * static_cast<size_t>(inputs * layer.out);
    float* to = packed + static_cast<size_t>(tap) * static_cast<size_t>(layer.out * layer.backward.out);
    for (int o = 0; o < layer.out; o++) {
      for (int i = 0; i < inputs; i++) to[o * layer.backward.out + i] = from[i * layer.out + o];
    }
  }
}

}  // namespace

MelTraining::Crop::Crop(const MelPlan& plan, const MelSize& size)
    : tape(plan),
      statistics(static_cast<size_t>(size.statistics())),
      dropped(static_cast<size_t>(size.statistics())),
      d_statistics(static_cast<size_t>(size.statistics())),
      d_logits(static_cast<size_t>(size.classes)),
      result{} {
  for (const MelLayer& layer : plan.layers) d_results.emplace_back(layer.result_floats());
}

MelTraining::Workplace::Workplace(const MelPlan& plan)
    : fields(static_cast<size_t>(plan.layers[0].rows) * static_cast<size_t>(plan.layers[0].backward.out_row)),
      d_crop(static_cast<size_t>(plan.frames) * kMelBins) {
  for (const MelLayer& layer : plan.layers) d_maps.emplace_back(layer.gradient_floats);
}

MelTraining::MelTraining(const Kernels& kernels, const MelSize& size, const MelParameters& parameters, double rate, int taught)
    : kernels_(kernels), size_(size), parameters_(parameters), rate_(rate), taught_(taught) {
  norms_.emplace_back(kMelBins);
  for (const NormPlace& place : parameters.norms) norms_.emplace_back(place.channels);
}

void MelTraining::reserve(int crops, int frames, int workers) {
  if (!plan_ || plan_->frames != frames) {
    plan_ = std::make_unique<MelPlan>(size_, frames);
    for (auto* memory : {&packed_, &packed_backward_, &partials_}) memory->clear();
    for (const MelLayer& layer : plan_->layers) {
      packed_.emplace_back(layer.kernel_floats());
      packed_backward_.emplace_back(layer.backward_floats());
    }
    crops_.clear();
    workplaces_.clear();
    for (int worker = 0; worker < workers; worker++) workplaces_.emplace_back(*plan_);
  }
  while (crops_.size() < static_cast<size_t>(crops)) crops_.push_back(std::make_unique<Crop>(*plan_, size_));
  size_t largest = 0;
  for (const MelLayer& layer : plan_->layers) largest = std::max(largest, layer.kernel_floats());
  while (partials_.size() < static_cast<size_t>(parts(crops, kGroupCrops))) partials_.emplace_back(largest);
  sums_.resize(norms_.size());
  for (size_t norm = 0; norm < norms_.size(); norm++) {
    const int channels = norm == 0 ? kMelBins : parameters_.norms[norm - 1].channels;
    while (sums_[norm].size() > static_cast<size_t>(crops)) sums_[norm].pop_back();
    while (sums_[norm].size() < static_cast<size_t>(crops)) sums_[norm].emplace_back(channels);
  }
}

void MelTraining::pack(ThreadPool& pool, const float* values) {
  pool.run(2 * kMelLayers, [&](int item, int) {
    // The largest kernels first.
    const size_t at = static_cast<size_t>(kMelLayers - 1 - item / 2);
    const float* kernel = values + parameters_.kernels[at];
    if (item % 2 == 0) pack_forward(plan_->layers[at], kernel, packed_[at].data());
    else pack_backward(plan_->layers[at], kernel, packed_backward_[at].data());
  });
}

const float* MelTraining::features_of(const Batch& batch, int crop) const {
  return batch.features + static_cast<size_t>(crop) * static_cast<size_t>(batch.inputs);
}

StepResult MelTraining::pass(ThreadPool& pool, const Batch& batch, const float* values, float* gradients) {
  reserve(batch.clips, batch.inputs / kMelBins, pool.threads());
  pack(pool, values);
  const StepResult result = forward(pool, batch, values);
  dense_gradients(pool, batch, gradients);
  for (int layer = kHeadLayer; layer >= 0; layer--) layer_backward(pool, batch, layer, gradients);
  norms_[0].backward(sums_[0], parameters_.input_norm, gradients);
  return result;
}

void MelTraining::update_running(float* values) const {
  norms_[0].update_running(values, parameters_.input_norm);
  for (size_t layer = 0; layer < kMelLayers; layer++) norms_[layer + 1].update_running(values, parameters_.norms[layer]);
}

StepResult MelTraining::forward(ThreadPool& pool, const Batch& batch, const float* values) {
  pool.run(batch.clips, [&](int item, int) {
    CropSums& sums = sums_[0][static_cast<size_t>(item)];
    kernels_.maps->moments(features_of(batch, item), plan_->frames, kMelBins, sums.first(), sums.second());
  });
  norms_[0].use_batch(values, parameters_.input_norm, sums_[0], plan_->frames);
  for (int layer = 0; layer < kMelLayers; layer++) {
    const size_t at = static_cast<size_t>(layer);
    const MelLayer& is = plan_->layers[at];
    const int positions = is.rows * is.columns;
    pool.run(batch.clips, [&](int item, int) {
      MelTape& tape = crops_[static_cast<size_t>(item)]->tape;
      CropSums& sums = sums_[at + 1][static_cast<size_t>(item)];
      run_layer(shared(), layer, features_of(batch, item), tape);
      kernels_.maps->moments(tape.maps[at].data(), positions, is.padded_out, sums.first(), sums.second());
    });
    norms_[at + 1].use_batch(values, parameters_.norms[at], sums_[at + 1], positions);
  }
  pool.run(batch.clips, [&](int item, int) { classify(batch, item, values, *crops_[static_cast<size_t>(item)]); });
  StepResult result{0, 0};
  for (int crop = 0; crop < batch.clips; crop++) {
    result.loss += crops_[static_cast<size_t>(crop)]->result.loss;
    result.correct += crops_[static_cast<size_t>(crop)]->result.correct;
  }
  return result;
}

// Computes a crop's logits and loss from the last map, and the gradient back to the sums of the head's
// norm.
void MelTraining::classify(const Batch& batch, int at, const float* values, Crop& crop) {
  const int statistics = size_.statistics(), classes = size_.classes;
  const MapNorm norm = shared().layer_norm(kHeadLayer);
  over_time(*kernels_.maps, norm, crop.tape.maps[kHeadLayer].data(), crop.tape.result.data(), crop.statistics.data());
  const uint32_t* words = batch.masks + static_cast<size_t>(at) * 2;
  const DropoutMask mask(rate_, words[1]);
  const uint32_t start = words[0] * static_cast<uint32_t>(statistics);
  AlignedArray<float> logits(static_cast<size_t>(classes));
  const float* kernel = values + parameters_.dense_kernel;
  std::copy_n(values + parameters_.dense_bias, classes, logits.data());
  for (int i = 0; i < statistics; i++) {
    const size_t index = static_cast<size_t>(i);
    const float kept = rate_ == 0 ? 1 : mask.at(start + static_cast<uint32_t>(i));
    crop.dropped[index] = crop.statistics[index] * kept;
    for (int c = 0; c < classes; c++) logits[static_cast<size_t>(c)] += crop.dropped[index] * kernel[i * classes + c];
  }
  float* d_logits = crop.d_logits.data();
  const double weight = 1.0 / batch.clips;
  const float* targets = batch.targets == nullptr ? nullptr : batch.targets + static_cast<size_t>(at) * classes;
  crop.result = targets == nullptr ? cross_entropy(logits.data(), classes, batch.labels[at], weight, d_logits)
                : taught_ > 0      ? distillation(logits.data(), classes, taught_, targets, weight, d_logits)
                                   : cross_entropy(logits.data(), classes, targets, weight, d_logits);
  for (int i = 0; i < statistics; i++) {
    const float kept = rate_ == 0 ? 1 : mask.at(start + static_cast<uint32_t>(i));
    float gradient = 0;
    for (int c = 0; c < classes; c++) gradient += kernel[i * classes + c] * d_logits[c];
    crop.d_statistics[static_cast<size_t>(i)] = gradient * kept;
  }
  over_time_backward(*plan_, crop.tape, crop.statistics.data(), crop.d_statistics.data(), crop.d_results[kHeadLayer].data());
  kernels_.maps->gradient_sums(shared().layer_norm(kHeadLayer), crop.tape.maps[kHeadLayer].data(),
                               crop.d_results[kHeadLayer].data(), sums_[kMelLayers][static_cast<size_t>(at)].first());
}

void MelTraining::dense_gradients(ThreadPool& pool, const Batch& batch, float* gradients) const {
  const int classes = size_.classes, statistics = size_.statistics();
  float* kernel = gradients + parameters_.dense_kernel;
  float* bias = gradients + parameters_.dense_bias;
  std::fill_n(bias, classes, 0.0f);
  for (int at = 0; at < batch.clips; at++) {
    const float* d_logits = crops_[static_cast<size_t>(at)]->d_logits.data();
    for (int c = 0; c < classes; c++) bias[c] += d_logits[c];
  }
  pool.run(parts(statistics, kSumRows), [&](int item, int) {
    for (int i = item * kSumRows; i < std::min(statistics, (item + 1) * kSumRows); i++) {
      float* row = kernel + static_cast<size_t>(i) * static_cast<size_t>(classes);
      std::fill_n(row, classes, 0.0f);
      for (int at = 0; at < batch.clips; at++) {
        const Crop& crop = *crops_[static_cast<size_t>(at)];
        const float value = crop.dropped[static_cast<size_t>(i)];
        const float* d_logits = crop.d_logits.data();
        for (int c = 0; c < classes; c++) row[c] += value * d_logits[c];
      }
    }
  });
}

void MelTraining::layer_backward(ThreadPool& pool, const Batch& batch, int layer, float* gradients) {
  const size_t at = static_cast<size_t>(layer);
  norms_[at + 1].backward(sums_[at + 1], parameters_.norms[at], gradients);
  pool.run(parts(batch.clips, kGroupCrops), [&](int group, int worker) {
    AlignedArray<float>& partial = partials_[static_cast<size_t>(group)];
    std::fill_n(partial.data(), plan_->layers[at].kernel_floats(), 0.0f);
    const int last = std::min(batch.clips, (group + 1) * kGroupCrops);
    for (int crop = group * kGroupCrops; crop < last; crop++) {
      crop_backward(batch, layer, crop, partial.data(), workplaces_[static_cast<size_t>(worker)]);
    }
  });
  add_partials(pool, layer, parts(batch.clips, kGroupCrops), gradients);
}

// Computes, for one crop, the gradient of the layer's map from that of its result, adds to the kernel's
// gradient, and computes the gradient of the layer's input with the sums of the norm before it.
void MelTraining::crop_backward(const Batch& batch, int layer, int at, float* partial, Workplace& place) {
  const size_t index = static_cast<size_t>(layer);
  const MapKernels& maps = *kernels_.maps;
  const MelLayer& is = plan_->layers[index];
  Crop& crop = *crops_[static_cast<size_t>(at)];
  float* d_map = place.d_maps[index].data();
  maps.norm_gradient(shared().layer_norm(layer), norms_[index + 1].gradient(), crop.tape.maps[index].data(),
                     crop.d_results[index].data(), d_map + is.gradient_start, is.d_row(), is.padded_out);
  Convolution kernel = is.forward;
  kernel.out_row = is.d_row();
  maps.kernel_gradient(kernel, crop.tape.inputs[index].data(), d_map + is.gradient_start, partial);
  const float* packed = packed_backward_[index].data();
  float* sums = sums_[index][static_cast<size_t>(at)].first();
  if (layer == 0) {
    maps.convolve(is.backward, d_map, packed, place.fields.data());
    add_fields(*plan_, place.fields.data(), place.d_crop.data());
    maps.gradient_sums(shared().input_norm(), features_of(batch, at), place.d_crop.data(), sums);
  } else {
    float* d_input = crop.d_results[index - 1].data();
    maps.convolve(is.backward, d_map, packed, d_input);
    maps.gradient_sums(shared().layer_norm(layer - 1), crop.tape.maps[index - 1].data(), d_input, sums);
  }
}

// Adds up the groups' gradients of a kernel, in the order of the groups.
void MelTraining::add_partials(ThreadPool& pool, int layer, int groups, float* gradients) const {
  const MelLayer& is = plan_->layers[static_cast<size_t>(layer)];
  float* kernel = gradients + parameters_.kernels[static_cast<size_t>(layer)];
  pool.run(parts(is.kernel_rows, kSumRows), [&](int item, int) {
    const int last = std::min(is.kernel_rows, (item + 1) * kSumRows);
    for (int row = item * kSumRows; row < last; row++) {
      float* to = kernel + static_cast<size_t>(row) * static_cast<size_t>(is.out);
      std::fill_n(to, is.out, 0.0f);
      for (int group = 0; group < groups; group++) {
        const float* from = partials_[static_cast<size_t>(group)].data() + static_cast<size_t>(row) * static_cast<size_t>(is.padded_out);
        for (int o = 0; o < is.out; o++) to[o] += from[o];
      }
    }
  });
}

}  // namespace earshot
