// 1 × 1 convolutions of maps whose pixels are in the lanes (../picture_kernels.h).
#pragma once

#include "../picture_kernels.h"
#include "vec.h"

namespace earshot::EARSHOT_ISA {

// A register tile: channels, and vectors of pixels at most.
constexpr int kTileOuts = kRegisters == 32 ? 8 : 4;
constexpr int kTileVecs = 3;

template <Activation kActivation>
EARSHOT_INLINE Vec activate(Vec value) {
  if (kActivation == Activation::kNone) return value;
  if (kActivation == Activation::kRelu) return relu(value);
  return value * min(relu(fma(value, splat(1.0f / 6), splat(0.5f))), splat(1.0f));
}

// All bits in the lanes below `count`.
EARSHOT_INLINE IntVec lanes_below(int count) { return (IntVec)lane_numbers() < count; }

EARSHOT_INLINE Vec masked(Vec value, IntVec mask) { return (Vec)((IntVec)value & mask); }

// The number of vectors of the next tile when so many are left: no tile of one where that can be
// avoided, because its few sums would wait for each other.
EARSHOT_INLINE int next_tile(int left) { return left == 1 ? 1 : left == 2 || left == 4 ? 2 : 3; }

// The bias and the products of a tile.
template <int kVecs>
EARSHOT_INLINE void tile_sums(const Pointwise& layer, int first, const float* input, Vec (&sums)[kTileOuts][kVecs]) {
  const float* kernel = layer.kernel + first;
  const long plane = layer.in_plane;
  {
    Vec x[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) x[v] = load(input + v * kLanes);
#pragma GCC unroll 8
    for (int o = 0; o < kTileOuts; o++) {
      const Vec weight = splat(kernel[o]), bias = splat(layer.bias[first + o]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; v++) sums[o][v] = fma(weight, x[v], bias);
    }
  }
#pragma GCC unroll 1
  for (int i = layer.in - 1; i > 0; i--) {
    kernel += kChannelGroup;
    input += plane;
    Vec x[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) x[v] = load(input + v * kLanes);
#pragma GCC unroll 8
    for (int o = 0; o < kTileOuts; o++) {
      const Vec weight = splat(kernel[o]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; v++) sums[o][v] = fma(weight, x[v], sums[o][v]);
    }
  }
}

template <Activation kActivation, int kVecs>
EARSHOT_INLINE void pointwise_tile(const Pointwise& layer, const float* input, const float* residual,
                                   long residual_plane, float* output, long out_plane) {
  for (int first = 0; first < kChannelGroup; first += kTileOuts) {
    Vec sums[kTileOuts][kVecs];
    tile_sums<kVecs>(layer, first, input, sums);
#pragma GCC unroll 8
    for (int o = 0; o < kTileOuts; o++) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; v++) {
        Vec value = activate<kActivation>(sums[o][v]);
        if (residual != nullptr) value += load(residual + (first + o) * residual_plane + v * kLanes);
        store(output + (first + o) * out_plane + v * kLanes, value);
      }
    }
  }
}

template <Activation kActivation>
static void pointwise_of(const Pointwise& layer, const float* input, const float* residual, long residual_plane,
                         float* output, long out_plane) {
  for (int v = 0; v < layer.vecs;) {
    const int taken = next_tile(layer.vecs - v);
    const long at = static_cast<long>(v) * kLanes;
    const float* from = residual == nullptr ? nullptr : residual + at;
    if (taken == 3) pointwise_tile<kActivation, 3>(layer, input + at, from, residual_plane, output + at, out_plane);
    if (taken == 2) pointwise_tile<kActivation, 2>(layer, input + at, from, residual_plane, output + at, out_plane);
    if (taken == 1) pointwise_tile<kActivation, 1>(layer, input + at, from, residual_plane, output + at, out_plane);
    v += taken;
  }
}

static void pointwise(const Pointwise& layer, const float* input, const float* residual, long residual_plane,
                      float* output, long out_plane) {
  if (layer.activation == Activation::kHardSwish) {
    pointwise_of<Activation::kHardSwish>(layer, input, residual, residual_plane, output, out_plane);
  } else {
    pointwise_of<Activation::kNone>(layer, input, residual, residual_plane, output, out_plane);
  }
}

// Where the vectors of a frame's rows lie, one after the other.
struct Cursor {
  int row_vecs, vec = 0;
  long at = 0, jump;

  explicit Cursor(const Frame& frame)
      : row_vecs((frame.columns + kLanes - 1) / kLanes), jump(frame.pitch - static_cast<long>(row_vecs) * kLanes) {}
  long next() {
    const long here = at;
    at += kLanes;
    if (++vec == row_vecs) {
      vec = 0;
      at += jump;
    }
    return here;
  }
};

// Sets what lies behind the columns of rows of a frame to zero, which whole vectors were written to.
static void clear_tails(const Frame& frame, int rows, float* output) {
  const int even = (frame.columns + frame.stride - 1) / frame.stride, odd = frame.columns / frame.stride;
  if (even % kLanes == 0 && odd % kLanes == 0) return;
  // A vector reaches into the margin, at most.
  for (int channel = 0; channel < kChannelGroup; channel++) {
    float* row = output + channel * frame.plane;
    for (int r = 0; r < rows; r++, row += frame.pitch) {
      store(row + even, Vec{});
      if (frame.stride == 2) store(row + frame.odd + odd, Vec{});
    }
  }
}

template <Activation kActivation, int kVecs>
EARSHOT_INLINE void expand_tile(const Pointwise& layer, const Frame& frame, const float* input, Cursor& cursor,
                                float* output) {
  long at[kVecs];
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; v++) at[v] = cursor.next();
  for (int first = 0; first < kChannelGroup; first += kTileOuts) {
    Vec sums[kTileOuts][kVecs];
    tile_sums<kVecs>(layer, first, input, sums);
#pragma GCC unroll 8
    for (int o = 0; o < kTileOuts; o++) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; v++) {
        store(output + (first + o) * frame.plane + at[v], activate<kActivation>(sums[o][v]));
      }
    }
  }
}

template <Activation kActivation>
static void expand_rows(const Pointwise& layer, const Frame& frame, const float* input, float* output) {
  Cursor cursor(frame);
  for (int v = 0; v < layer.vecs;) {
    const int taken = next_tile(layer.vecs - v);
    const float* from = input + static_cast<long>(v) * kLanes;
    if (taken == 3) expand_tile<kActivation, 3>(layer, frame, from, cursor, output);
    if (taken == 2) expand_tile<kActivation, 2>(layer, frame, from, cursor, output);
    if (taken == 1) expand_tile<kActivation, 1>(layer, frame, from, cursor, output);
    v += taken;
  }
}

// The lanes of two vectors, sorted into even and odd ones.
EARSHOT_INLINE void split_lanes(Vec a, Vec b, Vec* even, Vec* odd) {
  IntVec evens, odds;
#pragma GCC unroll 16
  for (int lane = 0; lane < kLanes; lane++) {
    evens[lane] = 2 * lane;
    odds[lane] = 2 * lane + 1;
  }
  *even = shuffle(a, b, evens);
  *odd = shuffle(a, b, odds);
}

template <Activation kActivation>
static void expand_split(const Pointwise& layer, const Frame& frame, const float* input, float* output) {
  const int row_vecs = (frame.columns + kLanes - 1) / kLanes;
  for (int v = 0; v < layer.vecs; v += row_vecs, output += frame.pitch) {
    for (int pair = 0; pair < row_vecs; pair += 2) {
      // The second vector may lie behind the row.
      const float* from = input + static_cast<long>(v + pair) * kLanes;
      for (int first = 0; first < kChannelGroup; first += kTileOuts) {
        Vec sums[kTileOuts][2];
        tile_sums<2>(layer, first, from, sums);
#pragma GCC unroll 8
        for (int o = 0; o < kTileOuts; o++) {
          Vec even, odd;
          split_lanes(activate<kActivation>(sums[o][0]), activate<kActivation>(sums[o][1]), &even, &odd);
          float* to = output + (first + o) * frame.plane + pair / 2 * kLanes;
          store(to, even);
          store(to + frame.odd, odd);
        }
      }
    }
  }
}

static void expand(const Pointwise& layer, const Frame& frame, const float* input, float* output) {
  const bool relu = layer.activation == Activation::kRelu;
  if (frame.stride == 1) {
    if (relu) {
      expand_rows<Activation::kRelu>(layer, frame, input, output);
    } else {
      expand_rows<Activation::kHardSwish>(layer, frame, input, output);
    }
  } else if (relu) {
    expand_split<Activation::kRelu>(layer, frame, input, output);
  } else {
    expand_split<Activation::kHardSwish>(layer, frame, input, output);
  }
  clear_tails(frame, layer.vecs / ((frame.columns + kLanes - 1) / kLanes), output);
}

}  // namespace earshot::EARSHOT_ISA
