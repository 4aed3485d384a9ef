// Kernels for the log-mel front end, as a table for each instruction set. They compute in double
// precision, because with floats the rounding errors of a loud sound would hide a quiet one. The frames
// of a call are in the lanes of the vectors.
#pragma once

#include <cstddef>

namespace earshot {

// Largest number of frames in a call, over all instruction sets.
constexpr int kMostFrames = 8;

// Tables of one front end; the caller owns the memory.
struct SpectrumTables {
  int size;                // samples in a frame, a power of two, 16 or more
  int bins;                // number of spectrum bins that filters read, from bin 0 on
  const double* window;    // [size]
  const double* twiddles;  // pass after pass, [quarter][3 powers][re, im] each (transform_tables.h)
  const int* order;        // [size / 2]: index of each value after the passes
  const double* turns;     // [bins][2]: cosine and −sine of 2πk / size
  int filters;
  const int* first;        // [filters]: first bin of each filter
  const int* count;        // [filters]: number of its bins
  const double* weights;   // weights of the bins, filter after filter
};

struct FrontEndKernels {
  int frames;  // in a call
  // Computes the mel power of `frames` frames of `size` samples each.
  // @param scratch [size + bins][frames]
  // @param power [filters][frames]
  void (*mel_power)(const SpectrumTables&, const float* const* frames, double* scratch, double* power);
  // result[i] = max(10 log10(power[i] · scale + 1e-10) − top, −range), i < count; levels in dB
  void (*decibels)(const double* power, int count, double scale, double top, double range, float* result);
};

}  // namespace earshot
