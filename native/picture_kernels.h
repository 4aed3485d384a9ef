// Kernels for the pretrained encoder (shared/encoder/mobile-net.ts), as a table for each instruction
// set. A map is [channel][row][column]; rows are mel bands and columns are frames, so that neighbouring
// frames are in the lanes of a vector. The rows of a channel are contiguous. The stride between channels
// ("plane") is a multiple of kPixelStep floats. Memory needs no alignment beyond that of floats.
#pragma once

#include <cstddef>

namespace earshot {

// Lanes of the widest vector; a channel's number of pixels is rounded up to a multiple of it.
constexpr int kPixelStep = 16;
// Output channels that a 1 × 1 convolution computes in one call; every layer has a multiple of it.
constexpr int kChannelGroup = 8;
// Floats behind the end of a map that kernels may read.
constexpr int kPixelSlack = 64;

enum class Activation { kNone, kRelu, kHardSwish };

// A 1 × 1 convolution of `pixels` pixels into kChannelGroup channels.
struct Pointwise {
  int in;             // input channels
  int pixels;
  long in_plane, out_plane;  // strides from one channel to the next
  const float* kernel;       // [in][kernel_row], the group's channels first
  long kernel_row;
  const float* bias;         // [kChannelGroup]
  const float* residual;     // added to the output, and laid out as it; null: none
  Activation activation;
};

// A depthwise convolution of one channel, for rows [first, last) of its output.
struct Depthwise {
  int size, stride;       // 3 or 5; 1 or 2
  int rows, columns;      // of the whole input
  int out_columns;
  int first, last;        // rows of the output
  int given;              // row of the input at which the argument `input` begins
  const float* kernel;    // [size][size]
  float bias;
  Activation activation;
};

// The first convolution: 3 × 3, stride 2, one channel to kChannelGroup, hard swish.
struct Stem {
  int rows, columns;  // of the input
  long in_row;        // stride from one row of the input to the next
  int first, last;    // rows of the output
  long out_plane;
  const float* kernel;  // [3][3][kChannelGroup]
  const float* bias;    // [kChannelGroup]
};

// The tables of a Kaldi mel front end in single precision.
struct MelTables {
  int size, bins;          // samples of a transform, a power of two; number of bins that bands read
  int heard, start;        // the window is not 0 for `heard` samples from `start` on; multiples of kPixelStep
  const float* window;     // [heard]
  const float* twiddles;
  const int* order;
  const float* turns;      // [bins][2]
  int bands;
  const int* first;        // [bands]
  const int* count;        // [bands]
  const float* weights;
};

struct PictureKernels {
  int frames;  // in a call of `mel_rows`
  // Floats of scratch memory for `mel_rows`; and for `depthwise` and `stem`, given the input's columns.
  size_t (*mel_scratch)(const MelTables&);
  size_t (*row_scratch)(int columns);
  // Computes (ln(power + 1e-5) + 4.5) / 5 of each band for `frames` frames.
  // @param samples of the first frame; each further frame begins `hop` samples later
  // @param rows receives the result at [band · row + frame]
  void (*mel_rows)(const MelTables&, const float* samples, int hop, float* scratch, float* rows, long row);
  // Computes the rows [first, last) of all channels of the first convolution.
  void (*stem)(const Stem&, const float* input, float* scratch, float* output);
  // Computes a 1 × 1 convolution. Whole vectors are written, so up to kPixelStep − 1 pixels too many.
  void (*pointwise)(const Pointwise&, const float* input, float* output);
  // Computes a depthwise convolution. @return the sum of its outputs
  float (*depthwise)(const Depthwise&, const float* input, float* scratch, float* output);
  // The sum of `count` floats.
  float (*total)(const float* values, int count);
  // output[o] = bias[o] + Σ input[i] kernel[i · kernel_row + o] for `out` outputs
  void (*dense)(const float* input, int in, const float* kernel, long kernel_row, const float* bias, int out,
                Activation activation, float* output);
};

}  // namespace earshot
