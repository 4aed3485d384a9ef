// The pretrained encoder as JavaScript sees it.
#pragma once

#include <memory>

#include "arguments.h"
#include "audio_encoder.h"

namespace earshot {

class AudioEncoderObject : public Napi::ObjectWrap<AudioEncoderObject> {
 public:
  // The constructor stays inside the addon: objects come from `create`.
  static Napi::FunctionReference define(Napi::Env env);
  static Napi::Value create(const Napi::FunctionReference& constructor, std::unique_ptr<AudioEncoder> encoder,
                            const Kernels& kernels);

  explicit AudioEncoderObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  Napi::Value set_weights(const Napi::CallbackInfo& info);
  Napi::Value encode(const Napi::CallbackInfo& info);
  Napi::Value encode_pictures(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  // Shared: a caller's getter may dispose of it in the middle of a call.
  std::shared_ptr<AudioEncoder> encoder(Napi::Env env) const;

  std::shared_ptr<AudioEncoder> encoder_;
  const Kernels* kernels_ = nullptr;
};

}  // namespace earshot
