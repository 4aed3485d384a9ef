// The kernels of each instruction set, as tables of function pointers.
#pragma once

#include <string>
#include <vector>

#include "dense_kernels.h"
#include "encoder_kernels.h"
#include "map_kernels.h"
#include "picture_kernels.h"
#include "resample_kernels.h"
#include "trunk_kernels.h"

namespace earshot {

// The kernels of one instruction set. A new area adds its own table here and to the macro in kernels.cc.
struct Kernels {
  const char* isa;
  int lanes;
  const TrunkKernels* trunk;
  const DenseKernels* dense;
  const EncoderKernels* encoder;
  const MapKernels* maps;
  const ResampleKernels* resample;
  const PictureKernels* pictures;
};

// The tables of all instruction sets that this processor has, the fastest first; never empty.
const std::vector<Kernels>& usable_kernels();

// The table of an instruction set; null if it was not compiled or this processor lacks it.
const Kernels* find_kernels(const std::string& isa);

}  // namespace earshot
