// A served version of `mel` as JavaScript sees it.
#pragma once

#include <memory>

#include "arguments.h"
#include "mel_ensemble.h"

namespace earshot {

class EnsembleObject : public Napi::ObjectWrap<EnsembleObject> {
 public:
  // The constructor stays inside the addon: objects come from `create`.
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

  // Shared: a caller's getter may dispose of it in the middle of a call.
  std::shared_ptr<MelEnsemble> ensemble(Napi::Env env) const;

  std::shared_ptr<MelEnsemble> ensemble_;
  const Kernels* kernels_ = nullptr;
};

// What `createMelEnsemble` is told of its front end. @param windowSamples and the rest, filters as three typed arrays
LogMelFigures read_log_mel(const Napi::Object& options);

}  // namespace earshot
