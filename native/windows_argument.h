// Reads and checks windows from JavaScript.
#pragma once

#include "arguments.h"
#include "kernels.h"
#include "window.h"

namespace earshot {

// Largest number of windows in a call, and of samples in a window; they bound the memory of a call.
constexpr uint32_t kMaxWindows = 1024;
constexpr int kMaxWindowSamples = 2'880'000;

// Reads an array of Float32Arrays with finite values. The result is valid until JavaScript runs again.
// All elements are fetched before the first is read, because a getter may detach another element, or
// dispose of the object that the call is for.
std::vector<Window> read_windows(const Napi::Value& value, const Kernels& kernels);

}  // namespace earshot
