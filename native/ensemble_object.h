// The JavaScript class NativeEnsemble: all members of a served version of `mel`.
#pragma once

#include <memory>

#include "arguments.h"
#include "mel_ensemble.h"

namespace earshot {

class EnsembleObject : public Napi::ObjectWrap<EnsembleObject> {
 public:
  // The constructor is not exported; objects are made by `create`.
  static Napi::FunctionReference define(Napi::Env env);
  static Napi::Value create(const Napi::FunctionReference& constructor, std::unique_ptr<MelEnsemble> ensemble,
                            const Kernels& kernels);

  explicit EnsembleObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  Napi::Value set_weights(const Napi::CallbackInfo& info);
  Napi::Value crops(const Napi::CallbackInfo& info);
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  // A shared pointer, because a getter of the caller may dispose of the ensemble during a call.
  std::shared_ptr<MelEnsemble> ensemble(Napi::Env env) const;

  std::shared_ptr<MelEnsemble> ensemble_;
  const Kernels* kernels_ = nullptr;
};

// Reads the front end from the options of `createMelEnsemble`, whose filters are three typed arrays.
LogMelFigures read_log_mel(const Napi::Object& options);

}  // namespace earshot
