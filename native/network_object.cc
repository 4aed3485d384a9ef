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
    if (this->network(info.Env())->taught_features() == 0) refuse_type(info.Env(), "averages", "none: this network keeps none");
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

// Reads what clips are compared with: labels, or of a network that another one teaches that one's outputs.
void NetworkObject::read_truth(const Napi::Value& value, const Network& network, Batch& batch) const {
  const Napi::Env env = value.Env();
  const bool is_taught = network.taught_features() > 0;
  const std::string name = is_taught ? "targets" : "labels";
  if (!value.IsTypedArray()) refuse_type(env, name, is_taught ? "a Float32Array" : "an Int32Array");
  const size_t classes = static_cast<size_t>(network.classes);
  const size_t length = value.As<Napi::TypedArray>().ElementLength();
  const size_t clips = is_taught ? length / classes : length;
  if (clips < 1 || clips > kMaxClips) {
    refuse_value(env, name + ": expected those of 1 to " + std::to_string(kMaxClips) + " clips, got " + std::to_string(clips));
  }
  batch.clips = static_cast<int>(clips);
  if (is_taught) {
    batch.targets = read_array<float>(value, name, clips * classes);
    check_targets(env, network, batch.targets, length);
    return;
  }
  batch.labels = read_array<int32_t>(value, name, clips);
  for (size_t clip = 0; clip < clips; clip++) {
    if (batch.labels[clip] < 0 || batch.labels[clip] >= network.classes) {
      refuse_value(env, "labels: " + std::to_string(batch.labels[clip]) + " is not one of " +
                            std::to_string(network.classes) + " classes");
    }
  }
}

void NetworkObject::check_targets(Napi::Env env, const Network& network, const float* targets, size_t length) {
  const size_t classes = static_cast<size_t>(network.classes), features = static_cast<size_t>(network.taught_features());
  const std::string name = "targets: the value at ";
  for (size_t i = 0; i < length; i++) {
    if (!std::isfinite(targets[i])) refuse_value(env, name + std::to_string(i) + " is not finite");
    if (i % classes >= features && !(targets[i] >= 0 && targets[i] <= 1)) {
      refuse_value(env, name + std::to_string(i) + " is not a probability");
    }
  }
}

// Reads the arguments features, labels or targets, and masks. Those in the middle tell the number of
// clips.
Batch NetworkObject::read_batch(const Napi::CallbackInfo& info, const Network& network) const {
  Batch batch{};
  read_truth(info[1], network, batch);
  const size_t words = static_cast<size_t>(batch.clips) * static_cast<size_t>(network.mask_words);
  batch.masks = read_array<uint32_t>(info[2], "masks", words);
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
    return write_result(info.Env(), network->step(read_batch(info, *network), learning_rate, number));
  });
}

Napi::Value NetworkObject::gradients(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<Network> network = this->network(info.Env());
    AlignedArray<float> gradients(network->total());
    const StepResult result = network->gradients(read_batch(info, *network), gradients.data());
    Napi::Object object = write_result(info.Env(), result);
    object.Set("gradients", write_tensors(info.Env(), *network, gradients.data()));
    return object;
  });
}

}  // namespace earshot
