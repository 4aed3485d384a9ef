// The JavaScript class NativeResampler: a resampler between two rates.
#pragma once

#include <memory>

#include "arguments.h"
#include "resample_plan.h"

namespace earshot {

class ResampleObject : public Napi::ObjectWrap<ResampleObject> {
 public:
  // The constructor is not exported; objects are made by `create`.
  static Napi::FunctionReference define(Napi::Env env);
  // @param options up, down, taps, rows
  static Napi::Value create(const Napi::FunctionReference& constructor, const Napi::Object& options,
                            const Kernels& kernels);

  explicit ResampleObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value compute(const Napi::CallbackInfo& info);

  std::unique_ptr<ResamplePlan> plan_;
};

}  // namespace earshot
