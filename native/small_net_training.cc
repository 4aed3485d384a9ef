#include "small_net_training.h"

#include <algorithm>
#include <cmath>

#include "distillation.h"
#include "layout.h"

namespace earshot {

namespace {

constexpr int kHeadLayer = kSmallLayers - 1;
// Rows of a kernel's gradient in a work item.
constexpr int kSumRows = 96;

// Lays out a kernel for the backward convolution: taps in reverse order, in and out exchanged.
void pack_backward(const SmallLayer& layer, const float* kernel, float* packed) {
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

SmallTraining::Picture::Picture(const SmallPlan& plan, const SmallSize& size)
    : tape(plan),
      statistics(static_cast<size_t>(size.statistics())),
      d_statistics(static_cast<size_t>(size.statistics())),
      d_outputs(static_cast<size_t>(size.outputs)),
      loss(0) {
  for (const SmallLayer& layer : plan.layers) d_results.emplace_back(layer.result_floats());
}

SmallTraining::Workplace::Workplace(const SmallPlan& plan)
    : fields(static_cast<size_t>(plan.layers[0].rows) * static_cast<size_t>(plan.layers[0].backward.out_row)),
      d_picture(static_cast<size_t>(plan.frames) * kSmallBands) {
  for (const SmallLayer& layer : plan.layers) d_maps.emplace_back(layer.gradient_floats);
}

SmallTraining::SmallTraining(const Kernels& kernels, const SmallSize& size, const SmallParameters& parameters, int features)
    : kernels_(kernels), size_(size), parameters_(parameters), features_(features) {
  norms_.emplace_back(kSmallBands);
  for (const NormPlace& place : parameters.norms) norms_.emplace_back(place.channels);
}

void SmallTraining::reserve(int pictures, int frames, int workers) {
  if (!plan_ || plan_->frames != frames) {
    plan_ = std::make_unique<SmallPlan>(size_, frames);
    for (auto* memory : {&packed_, &packed_backward_, &partials_}) memory->clear();
    for (const SmallLayer& layer : plan_->layers) {
      packed_.emplace_back(layer.kernel_floats());
      packed_backward_.emplace_back(layer.backward_floats());
    }
    pictures_.clear();
    workplaces_.clear();
    for (int worker = 0; worker < workers; worker++) workplaces_.emplace_back(*plan_);
  }
  while (pictures_.size() < static_cast<size_t>(pictures)) pictures_.push_back(std::make_unique<Picture>(*plan_, size_));
  size_t largest = 0;
  for (const SmallLayer& layer : plan_->layers) largest = std::max(largest, layer.kernel_floats());
  while (partials_.size() < static_cast<size_t>(parts(pictures, kGroupPictures))) partials_.emplace_back(largest);
  sums_.resize(norms_.size());
  for (size_t norm = 0; norm < norms_.size(); norm++) {
    const int channels = norm == 0 ? kSmallBands : parameters_.norms[norm - 1].channels;
    while (sums_[norm].size() > static_cast<size_t>(pictures)) sums_[norm].pop_back();
    while (sums_[norm].size() < static_cast<size_t>(pictures)) sums_[norm].emplace_back(channels);
  }
}

void SmallTraining::pack(ThreadPool& pool, const float* values) {
  pool.run(2 * kSmallLayers, [&](int item, int) {
    // The largest kernels first.
    const size_t at = static_cast<size_t>(kSmallLayers - 1 - item / 2);
    const float* kernel = values + parameters_.kernels[at];
    if (item % 2 == 0) pack_forward(plan_->layers[at], kernel, packed_[at].data());
    else pack_backward(plan_->layers[at], kernel, packed_backward_[at].data());
  });
}

const float* SmallTraining::features_of(const Batch& batch, int picture) const {
  return batch.features + static_cast<size_t>(picture) * static_cast<size_t>(batch.inputs);
}

StepResult SmallTraining::pass(ThreadPool& pool, const Batch& batch, const float* values, float* gradients) {
  reserve(batch.clips, batch.inputs / kSmallBands, pool.threads());
  pack(pool, values);
  const StepResult result = forward(pool, batch, values);
  dense_gradients(pool, batch, gradients);
  for (int layer = kHeadLayer; layer >= 0; layer--) layer_backward(pool, batch, layer, gradients);
  norms_[0].backward(sums_[0], parameters_.input_norm, gradients);
  return result;
}

void SmallTraining::update_running(float* values) const {
  norms_[0].update_running(values, parameters_.input_norm);
  for (size_t layer = 0; layer < kSmallLayers; layer++) norms_[layer + 1].update_running(values, parameters_.norms[layer]);
}

StepResult SmallTraining::forward(ThreadPool& pool, const Batch& batch, const float* values) {
  pool.run(batch.clips, [&](int item, int) {
    PictureSums& sums = sums_[0][static_cast<size_t>(item)];
    kernels_.maps->moments(features_of(batch, item), plan_->frames, kSmallBands, sums.first(), sums.second());
  });
  norms_[0].use_batch(values, parameters_.input_norm, sums_[0], plan_->frames);
  for (int layer = 0; layer < kSmallLayers; layer++) {
    const size_t at = static_cast<size_t>(layer);
    const SmallLayer& is = plan_->layers[at];
    const int positions = is.rows * is.columns;
    pool.run(batch.clips, [&](int item, int) {
      SmallTape& tape = pictures_[static_cast<size_t>(item)]->tape;
      PictureSums& sums = sums_[at + 1][static_cast<size_t>(item)];
      run_layer(shared(), layer, features_of(batch, item), tape);
      kernels_.maps->moments(tape.maps[at].data(), positions, is.padded_out, sums.first(), sums.second());
    });
    norms_[at + 1].use_batch(values, parameters_.norms[at], sums_[at + 1], positions);
  }
  pool.run(batch.clips, [&](int item, int) { compare(batch, item, values, *pictures_[static_cast<size_t>(item)]); });
  double loss = 0;
  for (int picture = 0; picture < batch.clips; picture++) loss += pictures_[static_cast<size_t>(picture)]->loss;
  return {loss, 0};
}

// Computes a picture's outputs and loss from the last map, and the gradient back to the sums of the
// head's norm.
void SmallTraining::compare(const Batch& batch, int at, const float* values, Picture& picture) {
  const int statistics = size_.statistics(), count = size_.outputs;
  const MapNorm norm = shared().layer_norm(kHeadLayer);
  over_time(*kernels_.maps, norm, picture.tape.maps[kHeadLayer].data(), picture.tape.result.data(),
            picture.statistics.data());
  AlignedArray<float> outputs(static_cast<size_t>(count));
  const float* kernel = values + parameters_.dense_kernel;
  std::copy_n(values + parameters_.dense_bias, count, outputs.data());
  for (int i = 0; i < statistics; i++) {
    const float value = picture.statistics[static_cast<size_t>(i)];
    for (int o = 0; o < count; o++) outputs[static_cast<size_t>(o)] += value * kernel[i * count + o];
  }
  float* d_outputs = picture.d_outputs.data();
  const float* targets = batch.targets + static_cast<size_t>(at) * static_cast<size_t>(count);
  picture.loss = distillation(outputs.data(), count, features_, targets, 1.0 / batch.clips, d_outputs);
  for (int i = 0; i < statistics; i++) {
    float gradient = 0;
    for (int o = 0; o < count; o++) gradient += kernel[i * count + o] * d_outputs[o];
    picture.d_statistics[static_cast<size_t>(i)] = gradient;
  }
  over_time_backward(*plan_, picture.tape, picture.statistics.data(), picture.d_statistics.data(), picture.d_results[kHeadLayer].data());
  kernels_.maps->gradient_sums(shared().layer_norm(kHeadLayer), picture.tape.maps[kHeadLayer].data(),
                               picture.d_results[kHeadLayer].data(), sums_[kSmallLayers][static_cast<size_t>(at)].first());
}

void SmallTraining::dense_gradients(ThreadPool& pool, const Batch& batch, float* gradients) const {
  const int outputs = size_.outputs, statistics = size_.statistics();
  float* kernel = gradients + parameters_.dense_kernel;
  float* bias = gradients + parameters_.dense_bias;
  std::fill_n(bias, outputs, 0.0f);
  for (int at = 0; at < batch.clips; at++) {
    const float* d_outputs = pictures_[static_cast<size_t>(at)]->d_outputs.data();
    for (int o = 0; o < outputs; o++) bias[o] += d_outputs[o];
  }
  pool.run(parts(statistics, kSumRows), [&](int item, int) {
    for (int i = item * kSumRows; i < std::min(statistics, (item + 1) * kSumRows); i++) {
      float* row = kernel + static_cast<size_t>(i) * static_cast<size_t>(outputs);
      std::fill_n(row, outputs, 0.0f);
      for (int at = 0; at < batch.clips; at++) {
        const Picture& picture = *pictures_[static_cast<size_t>(at)];
        const float value = picture.statistics[static_cast<size_t>(i)];
        const float* d_outputs = picture.d_outputs.data();
        for (int o = 0; o < outputs; o++) row[o] += value * d_outputs[o];
      }
    }
  });
}

void SmallTraining::layer_backward(ThreadPool& pool, const Batch& batch, int layer, float* gradients) {
  const size_t at = static_cast<size_t>(layer);
  norms_[at + 1].backward(sums_[at + 1], parameters_.norms[at], gradients);
  pool.run(parts(batch.clips, kGroupPictures), [&](int group, int worker) {
    AlignedArray<float>& partial = partials_[static_cast<size_t>(group)];
    std::fill_n(partial.data(), plan_->layers[at].kernel_floats(), 0.0f);
    const int last = std::min(batch.clips, (group + 1) * kGroupPictures);
    for (int picture = group * kGroupPictures; picture < last; picture++) {
      picture_backward(batch, layer, picture, partial.data(), workplaces_[static_cast<size_t>(worker)]);
    }
  });
  add_partials(pool, layer, parts(batch.clips, kGroupPictures), gradients);
}

// Computes, for one picture, the gradient of the layer's map from that of its result, adds to the kernel's
// gradient, and computes the gradient of the layer's input with the sums of the norm before it.
void SmallTraining::picture_backward(const Batch& batch, int layer, int at, float* partial, Workplace& place) {
  const size_t index = static_cast<size_t>(layer);
  const MapKernels& maps = *kernels_.maps;
  const SmallLayer& is = plan_->layers[index];
  Picture& picture = *pictures_[static_cast<size_t>(at)];
  float* d_map = place.d_maps[index].data();
  maps.norm_gradient(shared().layer_norm(layer), norms_[index + 1].gradient(), picture.tape.maps[index].data(),
                     picture.d_results[index].data(), d_map + is.gradient_start, is.d_row(), is.padded_out);
  Convolution kernel = is.forward;
  kernel.out_row = is.d_row();
  maps.kernel_gradient(kernel, picture.tape.inputs[index].data(), d_map + is.gradient_start, partial);
  const float* packed = packed_backward_[index].data();
  float* sums = sums_[index][static_cast<size_t>(at)].first();
  if (layer == 0) {
    maps.convolve(is.backward, d_map, packed, place.fields.data());
    add_fields(*plan_, place.fields.data(), place.d_picture.data());
    maps.gradient_sums(shared().input_norm(), features_of(batch, at), place.d_picture.data(), sums);
  } else {
    float* d_input = picture.d_results[index - 1].data();
    maps.convolve(is.backward, d_map, packed, d_input);
    maps.gradient_sums(shared().layer_norm(layer - 1), picture.tape.maps[index - 1].data(), d_input, sums);
  }
}

// Adds up the groups' gradients of a kernel, in the order of the groups.
void SmallTraining::add_partials(ThreadPool& pool, int layer, int groups, float* gradients) const {
  const SmallLayer& is = plan_->layers[static_cast<size_t>(layer)];
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
