// The factors of one step of Adam.
#pragma once

#include <cmath>

#include "dense_kernels.h"

namespace earshot {

// The factors of step number `step`, which is 1 for the first step. β₁ is 0.9.
// @param weight_decay decoupled, as in AdamW (Loshchilov and Hutter 2019)
inline AdamStep adam_step(double learning_rate, double step, double beta2 = 0.999, double weight_decay = 0) {
  return {static_cast<float>(learning_rate / (1 - std::pow(0.9, step))), static_cast<float>(1 - std::pow(beta2, step)),
          static_cast<float>(beta2), static_cast<float>(1 - beta2),
          static_cast<float>(1 - learning_rate * weight_decay)};
}

}  // namespace earshot
