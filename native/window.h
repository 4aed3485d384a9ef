// The samples of a window.
#pragma once

namespace earshot {

struct Window {
  const float* samples;
  int length;
};

}  // namespace earshot
