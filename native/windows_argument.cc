#include "windows_argument.h"

namespace earshot {

std::vector<Window> read_windows(const Napi::Value& value, const Kernels& kernels) {
  const Napi::Env env = value.Env();
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
    if (length > kMaxWindowSamples) {
      refuse_value(env, name + ": expected at most " + std::to_string(kMaxWindowSamples) + " samples");
    }
    const float* samples = read_array<float>(elements[i], name, length);
    const size_t bad = kernels.dense->find_non_finite(samples, length);
    if (bad < length) refuse_value(env, name + ": the value at " + std::to_string(bad) + " is not finite");
    windows.push_back({samples, static_cast<int>(length)});
  }
  return windows;
}

}  // namespace earshot
