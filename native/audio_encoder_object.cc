#include "audio_encoder_object.h"

#include <algorithm>

#include "windows_argument.h"

namespace earshot {

namespace {

Napi::Value copied(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

}  // namespace

Napi::FunctionReference AudioEncoderObject::define(Napi::Env env) {
  return Napi::Persistent(DefineClass(env, "NativeAudioEncoder",
                                      {
                                          InstanceMethod<&AudioEncoderObject::set_weights>("setWeights"),
                                          InstanceMethod<&AudioEncoderObject::encode>("encode"),
                                          InstanceMethod<&AudioEncoderObject::encode_pictures>("encodePictures"),
                                          InstanceMethod<&AudioEncoderObject::pictures>("pictures"),
                                          InstanceMethod<&AudioEncoderObject::dispose>("dispose"),
                                      }));
}

Napi::Value AudioEncoderObject::create(const Napi::FunctionReference& constructor, std::unique_ptr<AudioEncoder> encoder,
                                       const Kernels& kernels) {
  const Napi::Object object = constructor.New({});
  AudioEncoderObject& wrapped = *Unwrap(object);
  const int64_t bytes = static_cast<int64_t>(encoder->total() * sizeof(float));
  wrapped.encoder_ = std::move(encoder);
  wrapped.kernels_ = &kernels;
  Napi::MemoryManagement::AdjustExternalMemory(object.Env(), bytes);
  return object;
}

AudioEncoderObject::AudioEncoderObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

void AudioEncoderObject::Finalize(Napi::Env) { encoder_.reset(); }

std::shared_ptr<AudioEncoder> AudioEncoderObject::encoder(Napi::Env env) const {
  if (!encoder_) throw Napi::TypeError::New(env, "The encoder was disposed of, or made without its factory.");
  return encoder_;
}

Napi::Value AudioEncoderObject::dispose(const Napi::CallbackInfo& info) {
  if (encoder_) {
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -static_cast<int64_t>(encoder_->total() * sizeof(float)));
  }
  encoder_.reset();
  return info.Env().Undefined();
}

Napi::Value AudioEncoderObject::set_weights(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<AudioEncoder> encoder = this->encoder(info.Env());
    encoder->take(read_tensors(info[0], "weights", encoder->sizes()).data());
    return info.Env().Undefined();
  });
}

Napi::Value AudioEncoderObject::encode(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    encoder(info.Env());
    const std::vector<Window> windows = read_windows(info[0], *kernels_);
    return copied(info.Env(), encoder(info.Env())->encode(windows));
  });
}

Napi::Value AudioEncoderObject::pictures(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    encoder(info.Env());
    const std::vector<Window> windows = read_windows(info[0], *kernels_);
    return copied(info.Env(), encoder(info.Env())->pictures(windows));
  });
}

Napi::Value AudioEncoderObject::encode_pictures(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    encoder(info.Env());
    const std::vector<Window> pictures = read_windows(info[0], *kernels_);
    for (const Window& picture : pictures) {
      if (picture.length % kEncoderBands == 0 && picture.length >= kEncoderBands * kEncoderFewestFrames) continue;
      refuse_value(info.Env(), "pictures: expected " + std::to_string(kEncoderBands) + " bands of at least " +
                                   std::to_string(kEncoderFewestFrames) + " frames");
    }
    return copied(info.Env(), encoder(info.Env())->encode_pictures(pictures));
  });
}

}  // namespace earshot
