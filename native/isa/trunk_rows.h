// The first two trunk blocks, some rows at a time, so that rows of block 1 are still in the first-level
// cache when block 2 reads them.
#pragma once

#include "convolve.h"
#include "dropout.h"

namespace earshot::EARSHOT_ISA {

constexpr int kWidth1 = kTrunkBlocks[0].out, kWidth2 = kTrunkBlocks[1].out, kWidth3 = kTrunkBlocks[2].out;
// Rows of block 2 that are computed from one filling of the row buffer. They read 4 times as many rows
// of block 1, and 3 more.
constexpr int kRows2AtOnce = 24;
constexpr int kNewRows1 = 4 * kRows2AtOnce, kKeptRows1 = 3;
constexpr int kBuffer1Rows = kKeptRows1 + kNewRows1 + kRowStep;
// Number of samples that kNewRows1 rows, rounded up, read.
constexpr int kSampleWindow = 4 * (kNewRows1 + kRowStep) + 8;

// Offsets of the parts of the packed weights.
constexpr int kPackedKernel1 = 0;
constexpr int kPackedBias1 = kPackedKernel1 + kernel_floats(kTrunkBlocks[0]);
constexpr int kPackedKernel2 = kPackedBias1 + kWidth1;
constexpr int kPackedBias2 = kPackedKernel2 + kernel_floats(kTrunkBlocks[1]);
constexpr int kPackedKernel3 = kPackedBias2 + kWidth2;
constexpr int kPackedBias3 = kPackedKernel3 + kernel_floats(kTrunkBlocks[2]);
// The kernels of blocks 2 and 3 as [out][tap × in], for the gradients of the rows.
constexpr int kPackedTransposed2 = kPackedBias3 + kWidth3;
constexpr int kPackedTransposed3 = kPackedTransposed2 + kernel_floats(kTrunkBlocks[1]);
constexpr int kPackedFloats = kPackedTransposed3 + kernel_floats(kTrunkBlocks[2]);

// The arguments of a pass of one clip.
struct Clip {
  const TrunkShape& shape;
  const float* packed;
  const float* samples;
  const ClipDropout* dropout;  // null: none
};

EARSHOT_INLINE void clear_rows(float* rows, int count, int width) {
  if (count > 0) memset(rows, 0, sizeof(float) * static_cast<size_t>(count) * static_cast<size_t>(width));
}

// Sets rows outside of [0, valid) to zero, as the next block's padding. `rows` begins with row `first`.
EARSHOT_INLINE void clear_outside(float* rows, int first, int count, int valid, int width) {
  const int before = first < 0 ? (-first < count ? -first : count) : 0;
  clear_rows(rows, before, width);
  const int inside = valid - first < 0 ? 0 : valid - first;
  if (inside < count) clear_rows(rows + static_cast<long>(inside) * width, count - inside, width);
}

EARSHOT_INLINE void drop_rows(float* rows, int first, int count, int width, int block, int total_rows, const Clip& clip) {
  if (clip.dropout == nullptr || clip.dropout->rate == 0) return;
  const uint32_t start = clip.dropout->slot * static_cast<uint32_t>(total_rows) + static_cast<uint32_t>(first);
  drop_out(rows, static_cast<long>(count) * width, start * static_cast<uint32_t>(width / 2), clip.dropout->seeds[block],
           dropout_rate(clip.dropout->rate));
}

// Copies the samples [first, first + kSampleWindow), with zeros outside of the clip.
EARSHOT_INLINE void copy_samples(const Clip& clip, int first, float* window) {
  for (int i = 0; i < kSampleWindow;) {
    const int at = first + i;
    if (at >= 0 && at < clip.shape.samples) {
      const int rest = clip.shape.samples - at;
      const int count = rest < kSampleWindow - i ? rest : kSampleWindow - i;
      memcpy(window + i, clip.samples + at, sizeof(float) * static_cast<size_t>(count));
      i += count;
    } else {
      window[i++] = 0;
    }
  }
}

// Computes rows [first, first + count) of block 1; rows outside of the clip are zero.
// @param count at most kNewRows1
// @param window [kSampleWindow], receives the samples from 4 first − 2 on
EARSHOT_INLINE void make_rows1(const Clip& clip, int first, int count, float* rows, uint64_t* winners, float* window) {
  constexpr TrunkBlock block = kTrunkBlocks[0];
  copy_samples(clip, 4 * first - 2, window);
  convolve_pool<block.taps, block.in, block.out>(window, clip.packed + kPackedKernel1, clip.packed + kPackedBias1, count,
                                                 rows, winners);
  drop_rows(rows, first, count, kWidth1, 0, clip.shape.rows1, clip);
  clear_outside(rows, first, count, clip.shape.rows1, kWidth1);
}

struct Rows2Scratch {
  alignas(64) float rows1[kBuffer1Rows * kWidth1];
  alignas(64) float window[kSampleWindow];
};

// Computes rows [first, last) of block 2, rounded up to kRowStep.
EARSHOT_INLINE void make_rows2(const Clip& clip, int first, int last, float* rows, uint64_t* winners,
                               Rows2Scratch& scratch) {
  constexpr TrunkBlock block = kTrunkBlocks[1];
  float* fresh = scratch.rows1 + kKeptRows1 * kWidth1;
  // Rows 4 first − 2 … 4 first, which later iterations take from the one before.
  make_rows1(clip, 4 * first - 2, kKeptRows1, fresh, nullptr, scratch.window);
  memcpy(scratch.rows1, fresh, sizeof(float) * kKeptRows1 * kWidth1);
  for (int row = first; row < last; row += kRows2AtOnce) {
    const int rest = (last - row + kRowStep - 1) / kRowStep * kRowStep;
    const int count = rest < kRows2AtOnce ? rest : kRows2AtOnce;
    make_rows1(clip, 4 * row + 1, 4 * count, fresh, nullptr, scratch.window);
    float* output = rows + static_cast<long>(row - first) * kWidth2;
    convolve_pool<block.taps, block.in, block.out>(scratch.rows1, clip.packed + kPackedKernel2,
                                                   clip.packed + kPackedBias2, count, output,
                                                   winners == nullptr ? nullptr : winners + (row - first));
    drop_rows(output, row, count, kWidth2, 1, clip.shape.rows2, clip);
    clear_outside(output, row, count, clip.shape.rows2, kWidth2);
    memcpy(scratch.rows1, fresh + (4 * count - kKeptRows1) * kWidth1, sizeof(float) * kKeptRows1 * kWidth1);
  }
}

}  // namespace earshot::EARSHOT_ISA
