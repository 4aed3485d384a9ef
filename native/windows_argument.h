// Windows that JavaScript hands over, checked.
#pragma once

#include "arguments.h"
#include "kernels.h"
#include "log_mel.h"

namespace earshot {

// Windows of one call, and samples of a window: they bound the memory that a call can ask for.
constexpr uint32_t kMaxWindows = 1024;
constexpr int kMaxWindowSamples = 2'880'000;

// An array of finite Float32Arrays; valid until JavaScript runs again. Every element is fetched before the first is looked at:
// a getter may detach another, or dispose of whoever is to judge them.
std::vector<Window> read_windows(const Napi::Value& value, const Kernels& kernels);

}  // namespace earshot
