// The JavaScript class NativeAudioEncoder.
#pragma once

#include <memory>

#include "arguments.h"
#include "audio_encoder.h"

namespace earshot {

class AudioEncoderObject : public Napi::ObjectWrap<AudioEncoderObject> {
 public:
  // The constructor is not exported; objects are made by `create`.
  static Napi::FunctionReference define(Napi::Env env);
  static Napi::Value create(const Napi::FunctionReference& constructor, std::unique_ptr<AudioEncoder> encoder,
                            const Kernels& kernels);

  explicit AudioEncoderObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  Napi::Value set_weights(const Napi::CallbackInfo& info);
  Napi::Value encode(const Napi::CallbackInfo& info);
  Napi::Value encode_pictures(const Napi::CallbackInfo& info);
  Napi::Value pictures(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  // A shared pointer, because a getter of the caller may dispose of the encoder during a call.
  std::shared_ptr<AudioEncoder> encoder(Napi::Env env) const;

  std::shared_ptr<AudioEncoder> encoder_;
  const Kernels* kernels_ = nullptr;
};

}  // namespace earshot
