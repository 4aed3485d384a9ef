#include "resample_object.h"

#include <cmath>

namespace earshot {

namespace {

// Largest table of filter rows (shared/signal/resample-filter.ts has no larger one), and most samples a
// call.
constexpr int kMaxEntries = 1 << 20;
constexpr int kMaxOutputs = 1 << 27;
// Largest position in a signal, in samples: fifty years at 44.1 kHz.
constexpr double kMaxPosition = 70'368'744'177'664;

int64_t read_position(const Napi::Value& value, const std::string& name) {
  const double place = read_number(value, name);
  if (!(place >= 0 && place <= kMaxPosition) || place != std::floor(place)) {
    refuse_value(value.Env(), name + ": expected a whole number from 0 on");
  }
  return static_cast<int64_t>(place);
}

}  // namespace

Napi::FunctionReference ResampleObject::define(Napi::Env env) {
  return Napi::Persistent(
      DefineClass(env, "NativeResampler", {InstanceMethod<&ResampleObject::compute>("compute")}));
}

Napi::Value ResampleObject::create(const Napi::FunctionReference& constructor, const Napi::Object& options,
                                   const Kernels& kernels) {
  const int up = read_count(options.Get("up"), "up", 1, kMaxEntries);
  const int taps = read_count(options.Get("taps"), "taps", 2, kMaxEntries / up);
  if (taps % 2 != 0) refuse_value(options.Env(), "taps: expected an even number");
  // A filter is at least 16 input samples long for each step between outputs. This bounds the number of
  // samples that a group reads.
  const int down = read_count(options.Get("down"), "down", 1, up * taps / 16);
  const float* rows = read_array<float>(options.Get("rows"), "rows", static_cast<size_t>(up) * static_cast<size_t>(taps));
  auto plan = std::make_unique<ResamplePlan>(*kernels.resample, ResampleFigures{up, down, taps}, rows);
  const Napi::Object object = constructor.New({});
  Unwrap(object)->plan_ = std::move(plan);
  return object;
}

ResampleObject::ResampleObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

Napi::Value ResampleObject::compute(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Env env = info.Env();
    if (!plan_) throw Napi::TypeError::New(env, "The resampler was made without its factory.");
    const size_t length = info[0].IsTypedArray() ? info[0].As<Napi::TypedArray>().ElementLength() : 0;
    const float* signal = read_array<float>(info[0], "signal", length);
    const int64_t start = read_position(info[1], "start"), first = read_position(info[2], "first");
    const int count = read_count(info[3], "count", 0, kMaxOutputs);
    Napi::Float32Array outputs = Napi::Float32Array::New(env, static_cast<size_t>(count));
    if (count > 0) plan_->compute(signal, static_cast<int64_t>(length), start, first, count, outputs.Data());
    return outputs;
  });
}

}  // namespace earshot
