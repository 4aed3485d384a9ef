#include "convolve_maps.h"
#include "normalise_maps.h"

namespace earshot::EARSHOT_ISA {

extern const MapKernels map_kernels;
const MapKernels map_kernels = {convolve, kernel_gradient, moments, normalise, gradient_sums, norm_gradient};

}  // namespace earshot::EARSHOT_ISA
