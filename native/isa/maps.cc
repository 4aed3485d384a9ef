#include "convolve_maps.h"
#include "normalise_maps.h"
#include "winograd.h"

namespace earshot::EARSHOT_ISA {

extern const MapKernels map_kernels;
const MapKernels map_kernels = {convolve, winograd_input, winograd_output, kernel_gradient,
                                moments,  normalise,      gradient_sums,   norm_gradient};

}  // namespace earshot::EARSHOT_ISA
