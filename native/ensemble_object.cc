#include "ensemble_object.h"

#include <algorithm>
#include <cmath>

#include "windows_argument.h"

namespace earshot {

namespace {

// Largest number of frames in a window's spectrogram; bounds the memory of a call.
constexpr int kMaxFrames = 16'384;

double read_positive(const Napi::Object& options, const char* name) {
  const double value = read_number(options.Get(name), name);
  if (!(value > 0 && value < 1e6)) refuse_value(options.Env(), std::string(name) + ": expected more than 0");
  return value;
}

}  // namespace

LogMelFigures read_log_mel(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  LogMelFigures figures{};
  figures.fft_samples = read_count(options.Get("fftSamples"), "fftSamples", 16, 65'536);
  if ((figures.fft_samples & (figures.fft_samples - 1)) != 0) refuse_value(env, "fftSamples: expected a power of two");
  figures.hop_samples = read_count(options.Get("hopSamples"), "hopSamples", 1, kMaxWindowSamples);
  figures.window_samples = read_count(options.Get("windowSamples"), "windowSamples", 1, kMaxWindowSamples);
  if (figures.window_samples / figures.hop_samples >= kMaxFrames) refuse_value(env, "hopSamples: too many frames");
  figures.mel_bins = kMelBins;
  figures.crop_frames = read_count(options.Get("cropFrames"), "cropFrames", kFewestFrames, 1024);
  figures.crops = read_count(options.Get("crops"), "crops", 1, 64);
  figures.range_decibels = read_positive(options, "rangeDecibels");
  figures.silence_decibels = read_positive(options, "silenceDecibels");
  // All three are fetched before any is read, because a getter may detach the others.
  const Napi::Value firsts = options.Get("filterFirst"), counts = options.Get("filterCounts");
  const Napi::Value all = options.Get("filterWeights");
  const int32_t* first = read_array<int32_t>(firsts, "filterFirst", kMelBins);
  const int32_t* count = read_array<int32_t>(counts, "filterCounts", kMelBins);
  size_t total = 0;
  for (int m = 0; m < kMelBins; m++) {
    const int bins = figures.fft_samples / 2 + 1;
    if (first[m] < 0 || first[m] > bins || count[m] < 0 || count[m] > bins - first[m]) {
      refuse_value(env, "filterFirst: filter " + std::to_string(m) + " reaches beyond the spectrum");
    }
    total += static_cast<size_t>(count[m]);
  }
  const double* weights = read_array<double>(all, "filterWeights", total);
  for (size_t i = 0; i < total; i++) {
    if (!(weights[i] >= 0 && weights[i] < 1e6)) {
      refuse_value(env, "filterWeights: the value at " + std::to_string(i) + " is no weight");
    }
  }
  figures.first.assign(first, first + kMelBins);
  figures.count.assign(count, count + kMelBins);
  figures.weights.assign(weights, weights + total);
  return figures;
}

Napi::FunctionReference EnsembleObject::define(Napi::Env env) {
  return Napi::Persistent(DefineClass(env, "NativeEnsemble",
                                      {
                                          InstanceMethod<&EnsembleObject::set_weights>("setWeights"),
                                          InstanceMethod<&EnsembleObject::crops>("crops"),
                                          InstanceMethod<&EnsembleObject::logits>("logits"),
                                          InstanceMethod<&EnsembleObject::dispose>("dispose"),
                                      }));
}

Napi::Value EnsembleObject::create(const Napi::FunctionReference& constructor, std::unique_ptr<MelEnsemble> ensemble,
                                   const Kernels& kernels) {
  const Napi::Object object = constructor.New({});
  EnsembleObject& wrapped = *Unwrap(object);
  const int64_t bytes = static_cast<int64_t>(ensemble->total() * sizeof(float));
  wrapped.ensemble_ = std::move(ensemble);
  wrapped.kernels_ = &kernels;
  Napi::MemoryManagement::AdjustExternalMemory(object.Env(), bytes);
  return object;
}

EnsembleObject::EnsembleObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

void EnsembleObject::Finalize(Napi::Env) { ensemble_.reset(); }

std::shared_ptr<MelEnsemble> EnsembleObject::ensemble(Napi::Env env) const {
  if (!ensemble_) throw Napi::TypeError::New(env, "The ensemble was disposed of, or made without its factory.");
  return ensemble_;
}

Napi::Value EnsembleObject::dispose(const Napi::CallbackInfo& info) {
  if (ensemble_) {
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(),
                                                 -static_cast<int64_t>(ensemble_->total() * sizeof(float)));
  }
  ensemble_.reset();
  return info.Env().Undefined();
}

Napi::Value EnsembleObject::set_weights(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<MelEnsemble> ensemble = this->ensemble(info.Env());
    const int member = read_count(info[0], "member", 0, ensemble->members() - 1);
    const AlignedArray<float> values = read_tensors(info[1], "weights", ensemble->parameters().sizes);
    ensemble->take(member, values.data());
    return info.Env().Undefined();
  });
}

// @return an object with the values, and with the number of crops of each window as `counts`
static Napi::Object write_views(Napi::Env env, const char* name, const std::vector<float>& values,
                                const std::vector<int>& counts) {
  Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  Napi::Int32Array views = Napi::Int32Array::New(env, counts.size());
  std::copy(counts.begin(), counts.end(), views.Data());
  Napi::Object result = Napi::Object::New(env);
  result.Set(name, array);
  result.Set("counts", views);
  return result;
}

Napi::Value EnsembleObject::crops(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    ensemble(info.Env());
    const std::vector<Window> windows = read_windows(info[0], *kernels_);
    std::vector<int> counts(windows.size());
    return write_views(info.Env(), "crops", ensemble(info.Env())->crops(windows, counts.data()), counts);
  });
}

Napi::Value EnsembleObject::logits(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    ensemble(info.Env());
    const std::vector<Window> windows = read_windows(info[0], *kernels_);
    std::vector<int> counts(windows.size());
    return write_views(info.Env(), "logits", ensemble(info.Env())->logits(windows, counts.data()), counts);
  });
}

}  // namespace earshot
