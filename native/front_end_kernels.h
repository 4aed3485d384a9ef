// The log-mel front end: what an instruction set offers. All in double precision: beside a loud sound a quiet one would
// drown in the rounding of floats. Frames lie side by side in the lanes.
#pragma once

#include <cstddef>

namespace earshot {

// The most frames that any instruction set takes side by side.
constexpr int kMostFrames = 8;

// Of one front end: tables that its author owns.
struct SpectrumTables {
  int size;                // samples in a frame, a power of two, 16 or more
  int bins;                // of the spectrum, from 0 on, that filters read
  const double* window;    // [size]
  const double* twiddles;  // of the passes in their order, [quarter][3 powers][re, im] each
  const int* order;        // [size / 2]: where the passes leave each value
  const double* turns;     // [bins][2]: cosine and −sine of 2πk / size
  int filters;
  const int* first;        // [filters]: the bin that a filter begins with
  const int* count;        // [filters]: its bins
  const double* weights;   // filter after filter
};

struct FrontEndKernels {
  int frames;  // side by side
  // Mel power of `frames` frames of `size` samples each.
  // @param scratch [size + bins][frames]
  // @param power [filters][frames]
  void (*mel_power)(const SpectrumTables&, const float* const* frames, double* scratch, double* power);
  // result = max(10 log10(power · scale + 1e-10) − top, −range)
  void (*decibels)(const double* power, int count, double scale, double top, double range, float* result);
};

}  // namespace earshot
