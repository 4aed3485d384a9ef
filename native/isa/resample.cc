#include "../resample_kernels.h"
#include "vec.h"

namespace earshot::EARSHOT_ISA {

namespace {

// Number of stretches whose sums fit into the registers, so that each weight is loaded once for all of
// them.
constexpr int kTileStretches = kRegisters == 32 ? 12 : 6;

// Computes kCount stretches. Each has two partial sums, of even and of odd samples, so that additions do
// not wait for each other when there are few stretches.
template <int kCount>
inline __attribute__((noinline)) void sum_up(const float* weights, int length, const float* const* samples,
                                             float* outputs) {
  const float* from[kCount];
  Vec even[kCount] = {}, odd[kCount] = {};
#pragma GCC unroll 12
  for (int s = 0; s < kCount; s++) from[s] = samples[s];
#pragma GCC unroll 1
  for (int i = 0; i < length; i += 2, weights += 2 * kLanes) {
    const Vec first = load(weights), second = load(weights + kLanes);
#pragma GCC unroll 12
    for (int s = 0; s < kCount; s++) {
      even[s] = fma(splat(from[s][i]), first, even[s]);
      odd[s] = fma(splat(from[s][i + 1]), second, odd[s]);
    }
  }
#pragma GCC unroll 12
  for (int s = 0; s < kCount; s++) store(outputs + s * kLanes, even[s] + odd[s]);
}

void group(const float* weights, int length, const float* const* samples, int stretches, float* outputs) {
  int s = 0;
  for (; s + kTileStretches <= stretches; s += kTileStretches) {
    sum_up<kTileStretches>(weights, length, samples + s, outputs + s * kLanes);
  }
  for (; s + 3 <= stretches; s += 3) sum_up<3>(weights, length, samples + s, outputs + s * kLanes);
  for (; s < stretches; s++) sum_up<1>(weights, length, samples + s, outputs + s * kLanes);
}

}  // namespace

extern const ResampleKernels resample_kernels;
const ResampleKernels resample_kernels = {kLanes, group};

}  // namespace earshot::EARSHOT_ISA
