// The JavaScript class NativeNetwork.
#pragma once

#include <memory>

#include "arguments.h"
#include "kernels.h"
#include "network.h"

namespace earshot {

class NetworkObject : public Napi::ObjectWrap<NetworkObject> {
 public:
  // The constructor is not exported; objects are made by `create`.
  static Napi::FunctionReference define(Napi::Env env);
  static Napi::Value create(const Napi::FunctionReference& constructor, std::unique_ptr<Network> network,
                            const Kernels& kernels);

  explicit NetworkObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  Napi::Value set_weights(const Napi::CallbackInfo& info);
  Napi::Value set_moments(const Napi::CallbackInfo& info);
  Napi::Value set_averages(const Napi::CallbackInfo& info);
  Napi::Value get_averages(const Napi::CallbackInfo& info);
  Napi::Value get_weights(const Napi::CallbackInfo& info);
  Napi::Value get_moments(const Napi::CallbackInfo& info);
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value gradients(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  // Shared pointers, because a getter of the caller may dispose of the network during a call.
  std::shared_ptr<Network> network(Napi::Env env) const;
  std::shared_ptr<Network> training_network(Napi::Env env) const;
  Batch read_batch(const Napi::CallbackInfo& info, const Network& network) const;
  void read_truth(const Napi::Value& value, const Network& network, Batch& batch) const;
  static void check_targets(Napi::Env env, const Network& network, const float* targets, size_t length);
  // @param length receives the number of inputs of each clip
  const float* read_features(const Napi::Value& value, const Network& network, int clips, int& length) const;
  static Napi::Value write_tensors(Napi::Env env, const Network& network, const float* values);
  static Napi::Object write_result(Napi::Env env, const StepResult& result);

  std::shared_ptr<Network> network_;
  const Kernels* kernels_ = nullptr;
};

}  // namespace earshot
