#include "kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace earshot {

#define EARSHOT_DECLARE(isa)                     \
  namespace isa {                                \
  extern const int lanes;                        \
  extern const TrunkKernels trunk_kernels;       \
  extern const DenseKernels dense_kernels;       \
  extern const EncoderKernels encoder_kernels;   \
  extern const MapKernels map_kernels;           \
  extern const ResampleKernels resample_kernels; \
  extern const PictureKernels picture_kernels;   \
  }
#define EARSHOT_TABLE(isa)                                                                                \
  Kernels {                                                                                               \
    #isa, isa::lanes, &isa::trunk_kernels, &isa::dense_kernels, &isa::encoder_kernels, &isa::map_kernels, \
        &isa::resample_kernels, &isa::picture_kernels                                                     \
  }

#if defined(__x86_64__)
EARSHOT_DECLARE(avx512)
EARSHOT_DECLARE(avx2)
#endif
EARSHOT_DECLARE(baseline)

namespace {

#if defined(__x86_64__)
// clang, and g++ before 11, do not support this feature in __builtin_cpu_supports.
bool has_f16c() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

std::vector<Kernels> detect() {
  std::vector<Kernels> usable;
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512) usable.push_back(EARSHOT_TABLE(avx512));
  if (avx2) usable.push_back(EARSHOT_TABLE(avx2));
#endif
  usable.push_back(EARSHOT_TABLE(baseline));
  return usable;
}

}  // namespace

const std::vector<Kernels>& usable_kernels() {
  static const std::vector<Kernels> usable = detect();
  return usable;
}

const Kernels* find_kernels(const std::string& isa) {
  for (const Kernels& kernels : usable_kernels()) {
    if (isa == kernels.isa) return &kernels;
  }
  return nullptr;
}

}  // namespace earshot
