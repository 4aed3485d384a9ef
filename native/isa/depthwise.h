// Depthwise convolutions, and the encoder's first convolution (../picture_kernels.h). Both read frames.
#pragma once

#include "pointwise.h"

namespace earshot::EARSHOT_ISA {

// Rows that are computed together: each row that is read serves several of them.
constexpr int kTileRows = 4;

// The same pointer. The compiler does not look through it, and so does not keep the addresses of all
// rows of a tile in variables of their own, for which there are too few registers.
EARSHOT_INLINE const float* one_pointer(const float* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// Vectors of a row, and one more at either side.
template <int kVecs>
struct Row {
  const float* first;
#if defined(__AVX512F__)
  Vec vecs[kVecs + 2];
#endif
};

template <int kVecs>
EARSHOT_INLINE Row<kVecs> read_row(const float* first) {
  Row<kVecs> row;
  row.first = first;
#if defined(__AVX512F__)
#pragma GCC unroll 4
  for (int v = 0; v < kVecs + 2; v++) row.vecs[v] = load(first + (v - 1) * kLanes);
#endif
  return row;
}

// The lanes of vector `v`, moved by kBy columns. A vector of AVX-512 is as long as a line of the cache:
// a load of any other lanes would cross into the next line, which takes several times as long.
template <int kBy, int kVecs>
EARSHOT_INLINE Vec moved(const Row<kVecs>& row, int v) {
#if defined(__AVX512F__)
  if (kBy == 0) return row.vecs[v + 1];
  const Vec low = row.vecs[kBy < 0 ? v : v + 1], high = row.vecs[kBy < 0 ? v + 1 : v + 2];
  return (Vec)_mm512_alignr_epi32((__m512i)high, (__m512i)low, kBy & (kLanes - 1));
#else
  return load(row.first + v * kLanes + kBy);
#endif
}

// What tap kTap of a kernel's row reads for vector `v` of a row of outputs.
// @param odd the row's odd columns; for stride 1 unused
template <int kSize, int kStride, int kTap, int kVecs>
EARSHOT_INLINE Vec tapped(const Row<kVecs>& even, const Row<kVecs>& odd, int v) {
  constexpr int kColumn = kTap - (kSize - 1) / 2;
  if constexpr (kStride == 1) {
    return moved<kColumn>(even, v);
  } else if constexpr (kColumn % 2 == 0) {
    return moved<kColumn / 2>(even, v);
  } else {
    return moved<(kColumn - 1) / 2>(odd, v);
  }
}

template <int kSize, int kStride, int kRows, int kVecs, int kTap, int kParts>
EARSHOT_INLINE void add_taps(const Row<kVecs>& even, const Row<kVecs>& odd, int from, const Vec* kernel,
                             Vec (&parts)[kParts][kRows][kVecs]) {
  Vec(&sums)[kRows][kVecs] = parts[kTap % kParts];
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; v++) {
    const Vec value = tapped<kSize, kStride, kTap>(even, odd, v);
#pragma GCC unroll 4
    for (int row = 0; row < kRows; row++) {
      const int y = from - row * kStride;
      if (y >= 0 && y < kSize) sums[row][v] = fma(kernel[y * kSize + kTap], value, sums[row][v]);
    }
  }
  if constexpr (kTap + 1 < kSize) add_taps<kSize, kStride, kRows, kVecs, kTap + 1>(even, odd, from, kernel, parts);
}

template <int kSize, int kStride, int kRows, int kVecs, Activation kActivation>
EARSHOT_INLINE void depthwise_tile(const float* input, long in_row, long odd, const Vec* kernel, Vec bias, float* output,
                                   long out_row, Vec (&results)[kRows][kVecs]) {
  // Two partial sums where there are few others to compute meanwhile.
  constexpr int kParts = kVecs == 1 && kSize == 5 && kRegisters == 32 ? 2 : 1;
  Vec parts[kParts][kRows][kVecs] = {};
#pragma GCC unroll 4
  for (int row = 0; row < kRows; row++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) parts[0][row][v] = bias;
  }
#pragma GCC unroll 16
  for (int from = 0; from < (kRows - 1) * kStride + kSize; from++, input = one_pointer(input + in_row)) {
    add_taps<kSize, kStride, kRows, kVecs, 0>(read_row<kVecs>(input), read_row<kVecs>(input + odd), from, kernel, parts);
  }
#pragma GCC unroll 4
  for (int row = 0; row < kRows; row++, output += out_row) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) {
      results[row][v] = activate<kActivation>(kParts == 1 ? parts[0][row][v] : parts[0][row][v] + parts[kParts - 1][row][v]);
      store(output + v * kLanes, results[row][v]);
    }
  }
}

// Adds the halves of every kWidth lanes of two vectors: the results of `a`, then those of `b`.
template <int kWidth>
EARSHOT_INLINE Vec fold(Vec a, Vec b) {
  constexpr int kHalf = kWidth / 2;
  IntVec low{}, high{};
#pragma GCC unroll 16
  for (int lane = 0; lane < kLanes; lane++) {
    low[lane] = lane / kHalf * kWidth + lane % kHalf;
    high[lane] = low[lane] + kHalf;
  }
  return shuffle(a, b, low) + shuffle(a, b, high);
}

// Writes the sum of the lanes of each of kCount vectors, in an order that is the same for all.
template <int kWidth = kLanes, int kCount>
EARSHOT_INLINE void sum_each(const Vec (&values)[kCount], float* sums) {
  if constexpr (kWidth == 1) {
#pragma GCC unroll 4
    for (int i = 0; i < kCount; i++) store(sums + i * kLanes, values[i]);
  } else if constexpr (kCount == 1) {
    const Vec folded[1] = {fold<kWidth>(values[0], values[0])};
    sum_each<kWidth / 2>(folded, sums);
  } else {
    Vec folded[kCount / 2];
#pragma GCC unroll 8
    for (int i = 0; i < kCount / 2; i++) folded[i] = fold<kWidth>(values[2 * i], values[2 * i + 1]);
    sum_each<kWidth / 2>(folded, sums);
  }
}

template <int kRows, int kVecs>
EARSHOT_INLINE Vec sum_of(const Vec (&values)[kRows][kVecs], IntVec last) {
  Vec total{};
#pragma GCC unroll 4
  for (int row = 0; row < kRows; row++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) total += v == kVecs - 1 ? masked(values[row][v], last) : values[row][v];
  }
  return total;
}

template <int kSize, int kStride, int kRows, Activation kActivation>
EARSHOT_INLINE void depthwise_rows(const Depthwise& layer, const Vec* kernel, Vec bias, IntVec tail,
                                   const float* input, float* output, Vec* total) {
  constexpr int kVecs = kRegisters == 32 ? 2 : 1;
  const IntVec all = IntVec{} == IntVec{};
  const long in_row = layer.in_row, out_row = layer.out_row, odd = layer.odd;
  const int vecs = (layer.columns + kLanes - 1) / kLanes;
  Vec sum{};
  int v = 0;
  for (; v + kVecs <= vecs; v += kVecs) {
    Vec results[kRows][kVecs];
    depthwise_tile<kSize, kStride, kRows, kVecs, kActivation>(input + v * kLanes, in_row, odd, kernel, bias,
                                                              output + v * kLanes, out_row, results);
    sum += sum_of(results, v + kVecs == vecs ? tail : all);
  }
  if (v < vecs) {
    Vec results[kRows][1];
    depthwise_tile<kSize, kStride, kRows, 1, kActivation>(input + v * kLanes, in_row, odd, kernel, bias,
                                                          output + v * kLanes, out_row, results);
    sum += sum_of(results, tail);
  }
  *total += sum;
}

template <int kSize, int kStride, Activation kActivation>
static void depthwise_of(const Depthwise& layer, const float* input, float* output, float* sums) {
  constexpr int kArea = kSize * kSize;
  const IntVec tail = lanes_below(layer.columns - (layer.columns - 1) / kLanes * kLanes);
  const long in_plane = layer.in_plane, out_plane = layer.out_plane;
  const long in_rows = kStride * layer.in_row, out_row = layer.out_row;
  const int rows = layer.rows;
  Vec totals[kChannelGroup];
  for (int channel = 0; channel < kChannelGroup; channel++, input += in_plane, output += out_plane) {
    Vec kernel[kArea];
#pragma GCC unroll 25
    for (int tap = 0; tap < kArea; tap++) kernel[tap] = splat(layer.kernel[channel * kArea + tap]);
    const Vec bias = splat(layer.bias[channel]);
    Vec total{};
    int row = 0;
    for (; row + kTileRows <= rows; row += kTileRows) {
      depthwise_rows<kSize, kStride, kTileRows, kActivation>(layer, kernel, bias, tail, input + row * in_rows,
                                                             output + row * out_row, &total);
    }
    for (; row < rows; row++) {
      depthwise_rows<kSize, kStride, 1, kActivation>(layer, kernel, bias, tail, input + row * in_rows,
                                                     output + row * out_row, &total);
    }
    totals[channel] = total;
  }
  if (sums != nullptr) sum_each(totals, sums);
}

template <int kSize, int kStride>
static void depthwise_of(const Depthwise& layer, const float* input, float* output, float* sums) {
  if (layer.activation == Activation::kRelu) {
    depthwise_of<kSize, kStride, Activation::kRelu>(layer, input, output, sums);
  } else {
    depthwise_of<kSize, kStride, Activation::kHardSwish>(layer, input, output, sums);
  }
}

static void depthwise(const Depthwise& layer, const float* input, float* output, float* sums) {
  if (layer.size == 3 && layer.stride == 1) return depthwise_of<3, 1>(layer, input, output, sums);
  if (layer.size == 3) return depthwise_of<3, 2>(layer, input, output, sums);
  if (layer.stride == 1) return depthwise_of<5, 1>(layer, input, output, sums);
  return depthwise_of<5, 2>(layer, input, output, sums);
}

static void split(const float* row, int columns, float* even, float* odd) {
  for (int column = 0; column < columns; column += 2 * kLanes, even += kLanes, odd += kLanes) {
    const int rest = columns - column;
    const Vec a = rest >= kLanes ? load(row + column) : load_tail(row + column, rest);
    const Vec b = rest >= 2 * kLanes ? load(row + column + kLanes)
                  : rest > kLanes    ? load_tail(row + column + kLanes, rest - kLanes)
                                     : Vec{};
    Vec evens, odds;
    split_lanes(a, b, &evens, &odds);
    store(even, evens);
    store(odd, odds);
  }
}

template <int kVecs, int kTap>
EARSHOT_INLINE void add_stem_taps(const Row<kVecs>& even, const Row<kVecs>& odd, const float* kernel,
                                  Vec (&sums)[kTileOuts][kVecs]) {
  Vec values[kVecs];
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; v++) values[v] = tapped<3, 2, kTap>(even, odd, v);
#pragma GCC unroll 8
  for (int o = 0; o < kTileOuts; o++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) sums[o][v] = fma(splat(kernel[kTap * kChannelGroup + o]), values[v], sums[o][v]);
  }
  if constexpr (kTap < 2) add_stem_taps<kVecs, kTap + 1>(even, odd, kernel, sums);
}

template <int kVecs>
EARSHOT_INLINE void stem_tile(const Stem& layer, const float* input, Cursor& cursor, float* output) {
  long at[kVecs];
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; v++) at[v] = cursor.next();
  for (int first = 0; first < kChannelGroup; first += kTileOuts) {
    Vec sums[kTileOuts][kVecs];
#pragma GCC unroll 8
    for (int o = 0; o < kTileOuts; o++) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; v++) sums[o][v] = splat(layer.bias[first + o]);
    }
#pragma GCC unroll 3
    for (int y = 0; y < 3; y++) {
      const float* from = input + y * layer.in_row;
      add_stem_taps<kVecs, 0>(read_row<kVecs>(from), read_row<kVecs>(from + layer.odd),
                              layer.kernel + 3 * y * kChannelGroup + first, sums);
    }
#pragma GCC unroll 8
    for (int o = 0; o < kTileOuts; o++) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; v++) {
        store(output + (first + o) * layer.frame.plane + at[v], activate<Activation::kHardSwish>(sums[o][v]));
      }
    }
  }
}

static void stem(const Stem& layer, const float* input, float* output) {
  Cursor cursor(layer.frame);
  for (int row = 0; row < layer.rows; row++, input += 2 * layer.in_row) {
    for (int v = 0; v < cursor.row_vecs;) {
      const int taken = v + 2 <= cursor.row_vecs ? 2 : 1;
      const float* from = input + static_cast<long>(v) * kLanes;
      if (taken == 2) stem_tile<2>(layer, from, cursor, output);
      if (taken == 1) stem_tile<1>(layer, from, cursor, output);
      v += taken;
    }
  }
  clear_tails(layer.frame, layer.rows, output);
}

}  // namespace earshot::EARSHOT_ISA
