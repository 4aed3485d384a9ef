// Kernels for the pretrained encoder (shared/encoder/mobile-net.ts), as a table for each instruction
// set. A map is [channel][row][column]; rows are mel bands and columns are frames, so that neighbouring
// frames are in the lanes of a vector. A row is filled up to whole vectors: what lies behind its columns
// is never part of a result. Memory needs no alignment beyond that of floats.
#pragma once

#include <cstddef>

namespace earshot {

// Lanes of the widest vector.
constexpr int kPixelStep = 16;
// Channels that one call computes; every layer has a multiple of it.
constexpr int kChannelGroup = 8;
// Floats behind the end of an array that kernels may read.
constexpr int kPixelSlack = 64;

enum class Activation { kNone, kRelu, kHardSwish };

// Rows with zeros around them, as a depthwise convolution reads them. A row of a frame for stride 2
// holds the even columns and, `odd` floats later, the odd ones.
struct Frame {
  int stride;
  int columns;
  int margin;         // zeros before each part of a row, and behind the last row of a channel
  long odd;           // 0 for stride 1
  long pitch, plane;  // from one row, and from one channel, to the next
};

// A 1 × 1 convolution of `vecs` vectors of pixels into kChannelGroup channels.
struct Pointwise {
  int in;  // input channels
  int vecs;
  long in_plane;
  const float* kernel;  // [in][kChannelGroup]
  const float* bias;    // [kChannelGroup]
  Activation activation;
};

// A depthwise convolution of kChannelGroup channels.
struct Depthwise {
  int size, stride;  // 3 or 5; 1 or 2
  int rows, columns;  // of the output
  long in_plane, in_row, odd;  // of the frame that is read
  long out_plane, out_row;
  const float* kernel;  // [kChannelGroup][size][size]
  const float* bias;    // [kChannelGroup]
  Activation activation;
};

// The first convolution: 3 × 3, stride 2, one channel to kChannelGroup, hard swish.
struct Stem {
  int rows;  // of the output
  long in_row, odd;
  Frame frame;          // of the output
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
  int frames;  // in a call of `mel_rows`; also the lanes of a vector
  // Floats of scratch memory for `mel_rows`.
  size_t (*mel_scratch)(const MelTables&);
  // Computes pre-emphasis: output[n] = samples[n + 1] − factor · samples[n] for `count` outputs.
  void (*emphasise)(const float* samples, int count, float factor, float* output);
  // Computes (ln(power + 1e-5) + 4.5) / 5 of each band for `frames` frames.
  // @param samples of the first frame; each further frame begins `hop` samples later
  // @param rows receives the result at [band · row + frame]
  void (*mel_rows)(const MelTables&, const float* samples, int hop, float* scratch, float* rows, long row);
  // Splits a row into its even and its odd columns; zeros behind them up to whole vectors.
  void (*split)(const float* row, int columns, float* even, float* odd);
  // Computes rows of all channels of the first convolution.
  // @param input even columns of the row above the first one's centre
  // @param output column 0 of the first row, in the frame
  void (*stem)(const Stem&, const float* input, float* output);
  // Computes a 1 × 1 convolution into rows of a frame, with zeros behind their columns.
  // @param output column 0 of the first row, in the frame
  void (*expand)(const Pointwise&, const Frame&, const float* input, float* output);
  // Computes a 1 × 1 convolution.
  // @param residual added to the output after its activation; null: none
  void (*pointwise)(const Pointwise&, const float* input, const float* residual, long residual_plane, float* output,
                    long out_plane);
  // Computes a depthwise convolution.
  // @param input column 0 of the first row that the first output reads
  // @param sums [kPixelStep], receives the sum of each channel's outputs in the first places; null: not
  // wanted
  void (*depthwise)(const Depthwise&, const float* input, float* output, float* sums);
  // Multiplies the weights of each input channel by its share.
  // @param kernel, weighed [in][kChannelGroup]
  void (*weigh)(const float* kernel, const float* shares, int in, float* weighed);
  // The sum of `columns` values of each of `rows` rows.
  float (*total)(const float* values, int rows, int columns, long row);
  // output[o] = bias[o] + Σ input[i] kernel[i · kernel_row + o] for `out` outputs, a multiple of kPixelStep
  void (*dense)(const float* input, int in, const float* kernel, long kernel_row, const float* bias, int out,
                Activation activation, float* output);
  // values[i] = 1 / (1 + exp(−values[i])) for `count` values, a multiple of kPixelStep
  void (*sigmoid)(float* values, int count);
};

}  // namespace earshot
