// Kernels for the wide linear layer (36,000 → 128) and for the optimiser, as a table for each
// instruction set. Arrays need no alignment unless stated; arrays with 16 as a rounding are padded to
// whole vectors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace earshot {

constexpr int kHidden = 128;

// Factors of one step of Adam (Kingma and Ba 2015, algorithm 1), as in
// services/trainer/optimise/adam.ts.
struct AdamStep {
  float rate;        // learning rate / (1 − β₁ᵗ)
  float correction;  // 1 − β₂ᵗ
  float decay;       // β₂
  float newest;      // 1 − β₂, the weight of the newest squared gradient
  float kept;        // factor of the parameter before the step: 1 − learning rate × weight decay
};

struct AdamArrays {
  float* values;
  float* first;   // first moments of the gradient
  float* second;  // second moments
};

// Arguments of the wide layer's backward pass.
struct DenseBackward {
  int clips;
  const float* inputs;       // [clips][input_stride]
  size_t input_stride;
  const float* d_outputs;    // [clips][kHidden]
  const float* d_outputs_t;  // [kHidden][clips, rounded up to 16], padded with zeros
  float* d_inputs;           // [clips][input_stride], overwritten
  AdamArrays kernel;         // values [inputs][kHidden]; moments unused when `gradient` is given
  float* gradient;           // receives the kernel's gradient [inputs][kHidden]; null: an Adam step is taken
  AdamStep step;
};

struct DenseKernels {
  // Product of columns [first, last) of the inputs with the same rows of the kernel.
  // @param inputs [clips][stride]
  // @param kernel [inputs][kHidden]
  // @param result [clips][kHidden], overwritten
  void (*product)(const float* inputs, size_t stride, int clips, const float* kernel, int first, int last, float* result);
  // The same for one clip and a kernel of half-precision numbers; null on instruction sets that cannot
  // convert them.
  void (*product_half)(const float* inputs, const uint16_t* kernel, int first, int last, float* result);
  // For rows [first, last) of the kernel: computes the gradients of the inputs, then either writes the
  // kernel's gradient or applies the Adam step to the kernel.
  void (*backward)(const DenseBackward&, int first, int last);
  // Applies an Adam step to `count` parameters.
  void (*adam)(const AdamArrays&, const float* gradient, size_t count, const AdamStep&);
  // means += (values − means) · share
  void (*average)(float* means, const float* values, size_t count, float share);
  // Index of the first value that is not finite; `count` if all are finite.
  size_t (*find_non_finite)(const float* values, size_t count);
};

}  // namespace earshot
