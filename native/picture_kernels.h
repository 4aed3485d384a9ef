// The pretrained encoder (shared/encoder/mobile-net.ts): what an instruction set offers to it. A map is [channel][row][column],
// mel bands are rows and frames are columns, so that neighbouring frames lie in the lanes of a vector; the rows of a channel
// follow one another, and channels are a whole number of kPixelStep floats apart.
#pragma once

#include <cstddef>

namespace earshot {

// The widest vector: a channel's pixels are rounded up to it.
constexpr int kPixelStep = 16;
// Output channels that a 1 × 1 convolution computes at once; every layer has a multiple of it.
constexpr int kChannelGroup = 8;
// Floats that may be read behind the last of a map.
constexpr int kPixelSlack = 64;

enum class Activation { kNone, kRelu, kHardSwish };

// A 1 × 1 convolution of `pixels` pixels into kChannelGroup channels.
struct Pointwise {
  int in;             // channels
  int pixels;
  long in_plane, out_plane;  // floats from one channel to the next
  const float* kernel;       // [in][kernel_row], the group's channels first
  long kernel_row;
  const float* bias;         // [kChannelGroup]
  const float* residual;     // laid out as the output, added to it; null: none
  Activation activation;
};

// A depthwise convolution of one channel, of rows `first` to `last` of its output.
struct Depthwise {
  int size, stride;       // 3 or 5; 1 or 2
  int rows, columns;      // of the whole input
  int out_columns;
  int first, last;        // rows of the output
  int given;              // the input row that `input` begins with
  const float* kernel;    // [size][size]
  float bias;
  Activation activation;
};

// The first convolution: 3 × 3, stride 2, one channel to kChannelGroup, hard swish.
struct Stem {
  int rows, columns;  // of the input
  long in_row;        // floats from one row of the input to the next
  int first, last;    // rows of the output
  long out_plane;
  const float* kernel;  // [3][3][kChannelGroup]
  const float* bias;    // [kChannelGroup]
};

// The tables of a Kaldi mel front end in single precision.
struct MelTables {
  int size, bins;          // samples of a transform, a power of two; bins that bands read
  int heard, start;        // samples of a frame that the window lets pass, and where they begin; multiples of kPixelStep
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
  int frames;  // that go through the front end side by side
  // Floats of scratch memory for `mel_rows`, and for `depthwise` and `stem` of maps with so many columns.
  size_t (*mel_scratch)(const MelTables&);
  size_t (*row_scratch)(int columns);
  // (ln(power + 1e-5) + 4.5) / 5 of `frames` frames: `rows[band · row + frame]`.
  // @param samples the first frame's; the next begins `hop` samples later
  void (*mel_rows)(const MelTables&, const float* samples, int hop, float* scratch, float* rows, long row);
  void (*stem)(const Stem&, const float* input, float* scratch, float* output);
  void (*pointwise)(const Pointwise&, const float* input, float* output);
  // @return the sum of the outputs
  float (*depthwise)(const Depthwise&, const float* input, float* scratch, float* output);
  // The sum of `count` floats.
  float (*total)(const float* values, int count);
  // output[o] = bias[o] + Σ input[i] kernel[i · kernel_row + o] for `out` outputs
  void (*dense)(const float* input, int in, const float* kernel, long kernel_row, const float* bias, int out,
                Activation activation, float* output);
};

}  // namespace earshot
