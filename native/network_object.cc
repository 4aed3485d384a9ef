#include "network_object.h"

#include <algorithm>
#include <cmath>

namespace earshot {

namespace {

// Largest number of clips in a call; bounds its memory.
constexpr int kMaxClips = 1024;

}  // namespace

Napi::FunctionReference NetworkObject::define(Napi::Env env) {
  return Napi::Persistent(DefineClass(
      env, "NativeNetwork",
      {
          InstanceMethod<&NetworkObject::set_weights>("setWeights"),
          InstanceMethod<&NetworkObject::set_moments>("setMoments"),
          InstanceMethod<&NetworkObject::set_averages>("setAverages"),
          InstanceMethod<&NetworkObject::get_averages>("averages"),
          InstanceMethod<&NetworkObject::get_weights>("weights"),
          InstanceMethod<&NetworkObject::get_moments>("moments"),
          InstanceMethod<&NetworkObject::logits>("logits"),
          InstanceMethod<&NetworkObject::step>("step"),
          InstanceMethod<&NetworkObject::gradients>("gradients"),
          InstanceMethod<&NetworkObject::dispose>("dispose"),
      }));
}

Napi::Value NetworkObject::create(const Napi::FunctionReference& constructor, std::unique_ptr<Network> network,
                                  const Kernels& kernels) {
  const Napi::Object object = constructor.New({});
  NetworkObject& wrapped = *Unwrap(object);
  const int64_t bytes = static_cast<int64_t>(network->total() * sizeof(float));
  wrapped.network_ = std::move(network);
  wrapped.kernels_ = &kernels;
  Napi::MemoryManagement::AdjustExternalMemory(object.Env(), bytes);
  return object;
}

NetworkObject::NetworkObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

void NetworkObject::Finalize(Napi::Env) { network_.reset(); }

std::shared_ptr<Network> NetworkObject::network(Napi::Env env) const {
  if (!network_) throw Napi::TypeError::New(env, "The network was disposed of, or made without its factory.");
  return network_;
}

Napi::Value NetworkObject::dispose(const Napi::CallbackInfo& info) {
  if (network_) {
    const int64_t bytes = static_cast<int64_t>(network_->total() * sizeof(float));
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -bytes);
  }
  network_.reset();
  return info.Env().Undefined();
}

Napi::Value NetworkObject::write_tensors(Napi::Env env, const Network& network, const float* values) {
  Napi::Array tensors = Napi::Array::New(env, network.sizes.size());
  for (uint32_t i = 0; i < network.sizes.size(); i++) {
    Napi::Float32Array tensor = Napi::Float32Array::New(env, network.sizes[i]);
    std::copy_n(values, network.sizes[i], tensor.Data());
    values += network.sizes[i];
    tensors.Set(i, tensor);
  }
  return tensors;
}

Napi::Value NetworkObject::set_weights(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    AlignedArray<float> weights = read_tensors(info[0], "weights", this->network(info.Env())->sizes);
    const std::shared_ptr<Network> network = this->network(info.Env());
    network->values = std::move(weights);
    network->weights_changed();
    return info.Env().Undefined();
  });
}

Napi::Value NetworkObject::set_moments(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    AlignedArray<float> first = read_tensors(info[0], "first moments", this->network(info.Env())->sizes);
    AlignedArray<float> second = read_tensors(info[1], "second moments", this->network(info.Env())->sizes);
    const std::shared_ptr<Network> network = this->network(info.Env());
    network->first_moments = std::move(first);
    network->second_moments = std::move(second);
    return info.Env().Undefined();
  });
}

Napi::Value NetworkObject::set_averages(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    if (!this->network(info.Env())->mixes()) refuse_type(info.Env(), "averages", "none: this network keeps none");
    AlignedArray<float> averages = read_tensors(info[0], "averages", this->network(info.Env())->sizes);
    const std::shared_ptr<Network> network = this->network(info.Env());
    network->averages = std::move(averages);
    network->weights_changed();
    return info.Env().Undefined();
  });
}

Napi::Value NetworkObject::get_averages(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<Network> network = this->network(info.Env());
    if (network->averages.size() == 0) throw Napi::TypeError::New(info.Env(), "The network has no averages.");
    return write_tensors(info.Env(), *network, network->averages.data());
  });
}

Napi::Value NetworkObject::get_weights(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<Network> network = this->network(info.Env());
    return write_tensors(info.Env(), *network, network->values.data());
  });
}

Napi::Value NetworkObject::get_moments(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::shared_ptr<Network> network = training_network(info.Env());
    Napi::Array both = Napi::Array::New(info.Env(), 2);
    both.Set(0u, write_tensors(info.Env(), *network, network->first_moments.data()));
    both.Set(1u, write_tensors(info.Env(), *network, network->second_moments.data()));
    return both;
  });
}

std::shared_ptr<Network> NetworkObject::training_network(Napi::Env env) const {
  std::shared_ptr<Network> network = this->network(env);
  if (network->first_moments.size() == 0) throw Napi::TypeError::New(env, "The network has no moments yet.");
  return network;
}

const float* NetworkObject::read_features(const Napi::Value& value, const Network& network, int clips,
                                          int& length) const {
  const size_t count = static_cast<size_t>(clips);
  size_t total = count * static_cast<size_t>(network.inputs);
  // For a network that accepts clips of several lengths, the length of the array determines theirs.
  if (value.IsTypedArray()) {
    const size_t given = value.As<Napi::TypedArray>().ElementLength();
    if (given % count == 0 && network.accepts(given / count)) total = given;
  }
  const float* features = read_array<float>(value, "features", total);
  length = static_cast<int>(total / count);
  const size_t bad = kernels_->dense->find_non_finite(features, total);
  if (bad < total) {
    refuse_value(value.Env(), "features: the value at " + std::to_string(bad) + " is not finite");
  }
  return features;
}

const float* NetworkObject::read_targets(const Napi::Value& value, const Network& network, size_t clips) const {
  if (value.IsUndefined()) return nullptr;
  if (!network.mixes()) refuse_type(value.Env(), "targets", "none: this network learns from labels");
  const size_t length = clips * static_cast<size_t>(network.classes);
  const float* targets = read_array<float>(value, "targets", length);
  for (size_t i = 0; i < length; i++) {
    const bool is_free = i % static_cast<size_t>(network.classes) < static_cast<size_t>(network.free_targets());
    if (is_free && !std::isfinite(targets[i])) refuse_value(value.Env(), "targets: the value at " + std::to_string(i) + " is not finite");
    if (!is_free && !(targets[i] >= 0 && targets[i] <= 1)) {
      refuse_value(value.Env(), "targets: the value at " + std::to_string(i) + " is not a share from 0 to 1");
    }
  }
  return targets;
}

// Reads the arguments features, labels and masks. The number of labels is the number of clips.
Batch NetworkObject::read_batch(const Napi::CallbackInfo& info, const Network& network,
                                const Napi::Value& targets) const {
  const Napi::Env env = info.Env();
  if (!info[1].IsTypedArray()) refuse_type(env, "labels", "an Int32Array");
  const size_t clips = info[1].As<Napi::TypedArray>().ElementLength();
  if (clips < 1 || clips > kMaxClips) {
    refuse_value(env, "labels: expected 1 to " + std::to_string(kMaxClips) + " of them, got " + std::to_string(clips));
  }
  Batch batch{};
  batch.clips = static_cast<int>(clips);
  batch.labels = read_array<int32_t>(info[1], "labels", clips);
  for (size_t clip = 0; clip < clips; clip++) {
    if (batch.labels[clip] < 0 || batch.labels[clip] >= network.classes) {
      refuse_value(env, "labels: " + std::to_string(batch.labels[clip]) + " is not one of " +
                            std::to_string(network.classes) + " classes");
    }
  }
  batch.masks = read_array<uint32_t>(info[2], "masks", clips * static_cast<size_t>(network.mask_words));
  batch.targets = read_targets(targets, network, clips);
  batch.features = read_features(info[0], network, batch.clips, batch.inputs);
  return batch;
}

Napi::Object NetworkObject::write_result(Napi::Env env, const StepResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("loss", result.loss);
  object.Set("correct", result.correct);
  return object;
}

Napi::Value NetworkObject::logits(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<Network> network = this->network(info.Env());
    const int clips = read_count(info[1], "size", 1, kMaxClips);
    int length = 0;
    const float* features = read_features(info[0], *network, clips, length);
    Napi::Float32Array logits = Napi::Float32Array::New(info.Env(), static_cast<size_t>(clips * network->classes));
    network->infer(features, clips, length, logits.Data());
    return logits;
  });
}

Napi::Value NetworkObject::step(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<Network> network = training_network(info.Env());
    const double learning_rate = read_number(info[3], "learningRate");
    if (!(learning_rate > 0 && learning_rate < 1e6)) refuse_value(info.Env(), "learningRate: expected more than 0");
    const int number = read_count(info[4], "step", 1, 2'000'000'000);
    return write_result(info.Env(), network->step(read_batch(info, *network, info[5]), learning_rate, number));
  });
}

Napi::Value NetworkObject::gradients(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<Network> network = this->network(info.Env());
    AlignedArray<float> gradients(network->total());
    const StepResult result = network->gradients(read_batch(info, *network, info[3]), gradients.data());
    Napi::Object object = write_result(info.Env(), result);
    object.Set("gradients", write_tensors(info.Env(), *network, gradients.data()));
    return object;
  });
}

}  // namespace earshot
