#include "ensemble_object.h"

#include <algorithm>
#include <cmath>

namespace earshot {

namespace {

// Windows of one call, samples of a window, frames of its spectrogram: they bound the memory that a call can ask for.
constexpr uint32_t kMaxWindows = 1024;
constexpr int kMaxSamples = 2'880'000;
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
  figures.hop_samples = read_count(options.Get("hopSamples"), "hopSamples", 1, kMaxSamples);
  figures.window_samples = read_count(options.Get("windowSamples"), "windowSamples", 1, kMaxSamples);
  if (figures.window_samples / figures.hop_samples >= kMaxFrames) refuse_value(env, "hopSamples: too many frames");
  figures.mel_bins = kMelBins;
  figures.crop_frames = read_count(options.Get("cropFrames"), "cropFrames", kFewestFrames, 1024);
  figures.crops = read_count(options.Get("crops"), "crops", 1, 64);
  figures.range_decibels = read_positive(options, "rangeDecibels");
  figures.silence_decibels = read_positive(options, "silenceDecibels");
  // All read before any is used: a getter may detach those before it.
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

// Every element is fetched before the first is looked at: a getter may detach another, or dispose of the ensemble.
std::vector<Window> EnsembleObject::read_windows(const Napi::Value& value) const {
  const Napi::Env env = value.Env();
  ensemble(env);
  if (!value.IsArray()) refuse_type(env, "windows", "an array of Float32Array");
  const auto given = value.As<Napi::Array>();
  const uint32_t count = given.Length();
  if (count < 1 || count > kMaxWindows) {
    refuse_value(env, "windows: expected 1 to " + std::to_string(kMaxWindows) + " of them, got " + std::to_string(count));
  }
  std::vector<Napi::Value> elements;
  for (uint32_t i = 0; i < count; i++) elements.push_back(given.Get(i));
  std::vector<Window> windows;
  for (uint32_t i = 0; i < count; i++) {
    const std::string name = "windows[" + std::to_string(i) + "]";
    const size_t length = elements[i].IsTypedArray() ? elements[i].As<Napi::TypedArray>().ElementLength() : 0;
    if (length > kMaxSamples) refuse_value(env, name + ": expected at most " + std::to_string(kMaxSamples) + " samples");
    const float* samples = read_array<float>(elements[i], name, length);
    const size_t bad = kernels_->dense->find_non_finite(samples, length);
    if (bad < length) refuse_value(env, name + ": the value at " + std::to_string(bad) + " is not finite");
    windows.push_back({samples, static_cast<int>(length)});
  }
  return windows;
}

// @return the values, and how many of the crops are each window's
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
    const std::vector<Window> windows = read_windows(info[0]);
    std::vector<int> counts(windows.size());
    return write_views(info.Env(), "crops", ensemble(info.Env())->crops(windows, counts.data()), counts);
  });
}

Napi::Value EnsembleObject::logits(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::vector<Window> windows = read_windows(info[0]);
    std::vector<int> counts(windows.size());
    return write_views(info.Env(), "logits", ensemble(info.Env())->logits(windows, counts.data()), counts);
  });
}

}  // namespace earshot
