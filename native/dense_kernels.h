// The wide linear layer (36,000 → 128) and the optimiser: what an instruction set offers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace earshot {

constexpr int kHidden = 128;

// One step of Adam (Kingma and Ba 2015, algorithm 1), the rule of services/trainer/optimise/adam.ts.
struct AdamStep {
  float rate;        // learning rate / (1 − β₁ᵗ)
  float correction;  // 1 − β₂ᵗ
  float decay;       // β₂
  float newest;      // 1 − β₂
  float kept;        // of the parameter, before the change: 1 − learning rate × weight decay
};

struct AdamArrays {
  float* values;
  float* first;   // moments of the gradient
  float* second;
};

// A stretch of rows of the wide layer's backward pass.
struct DenseBackward {
  int clips;
  const float* inputs;       // [clips][input_stride]
  size_t input_stride;
  const float* d_outputs;    // [clips][kHidden]
  const float* d_outputs_t;  // [kHidden][clips, rounded up to 16], zeros in the rounding
  float* d_inputs;           // [clips][input_stride], written
  AdamArrays kernel;         // values [inputs][kHidden]; moments unused when `gradient` is given
  float* gradient;           // null: the kernel takes an Adam step; else it receives the gradient [inputs][kHidden]
  AdamStep step;
};

struct DenseKernels {
  // result [clips][kHidden] = inputs [clips][stride], columns [first, last), times those rows of the kernel.
  void (*product)(const float* inputs, size_t stride, int clips, const float* kernel, int first, int last, float* result);
  // The same for one clip, whose inputs start at column 0, and a kernel in half precision; null where nothing widens that.
  void (*product_half)(const float* inputs, const uint16_t* kernel, int first, int last, float* result);
  // Rows [first, last) of the kernel: the inputs' gradients, and the step or the kernel's gradient.
  void (*backward)(const DenseBackward&, int first, int last);
  void (*adam)(const AdamArrays&, const float* gradient, size_t count, const AdamStep&);
  // means += (values − means) · share
  void (*average)(float* means, const float* values, size_t count, float share);
  // Index of the first value that is not finite, `count` when all are.
  size_t (*find_non_finite)(const float* values, size_t count);
};

}  // namespace earshot
