#include "../dense_kernels.h"

#include "vec.h"

namespace earshot::EARSHOT_ISA {

namespace {

constexpr int kVecs = kHidden / kLanes;
// Size of a register tile: clips (or rows) by vectors of outputs.
constexpr int kTileRows = 3;
constexpr int kTileVecs = kRegisters == 32 ? 8 : 4;
static_assert(kVecs % kTileVecs == 0);
// Rows of the kernel that stay in the cache for all clips: 64 KB.
constexpr int kBlockRows = 128;

// Adds inputs × kernel to `result` for kRows clips.
template <int kRows>
EARSHOT_INLINE void product_tile(const float* inputs, size_t stride, const float* kernel, int rows, float* result) {
  for (int group = 0; group < kVecs; group += kTileVecs) {
    Vec sums[kRows][kTileVecs];
    float* target = result + group * kLanes;
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) sums[r][v] = load(target + r * kHidden + v * kLanes);
    }
#pragma GCC unroll 1
    for (int k = 0; k < rows; k++) {
      const float* row = kernel + static_cast<long>(k) * kHidden + group * kLanes;
      Vec x[kRows];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; r++) x[r] = splat(inputs[static_cast<size_t>(r) * stride + static_cast<size_t>(k)]);
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) {
        const Vec w = load(row + v * kLanes);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; r++) sums[r][v] = fma(x[r], w, sums[r][v]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) store(target + r * kHidden + v * kLanes, sums[r][v]);
    }
  }
}

EARSHOT_INLINE Vec load_weights(const float* from) { return load(from); }
#if defined(EARSHOT_HALF)
EARSHOT_INLINE Vec load_weights(const uint16_t* from) { return load_half(from); }
#endif

// Product for one clip. Its speed is that of reading the kernel, so the rows of inputs that are 0 are
// skipped: about half of them, after ReLU.
template <typename Weight>
EARSHOT_INLINE void product_one(const float* inputs, const Weight* kernel, int rows, float* result) {
  int32_t wanted[kBlockRows + 8];
  int count = 0;
  for (int k = 0; k < rows; k++) {
    wanted[count] = k;
    count += inputs[k] != 0;
  }
  const int last = count > 0 ? wanted[count - 1] : 0;
  for (int i = 0; i < 8; i++) wanted[count + i] = last;
  for (int group = 0; group < kVecs; group += kTileVecs) {
    Vec sums[kTileVecs];
    float* target = result + group * kLanes;
#pragma GCC unroll 8
    for (int v = 0; v < kTileVecs; v++) sums[v] = load(target + v * kLanes);
#pragma GCC unroll 1
    for (int i = 0; i < count; i++) {
      const Weight* row = kernel + static_cast<long>(wanted[i]) * kHidden + group * kLanes;
      const char* ahead = reinterpret_cast<const char*>(kernel + static_cast<long>(wanted[i + 8]) * kHidden + group * kLanes);
      constexpr int kRowBytes = kTileVecs * kLanes * static_cast<int>(sizeof(Weight));
#pragma GCC unroll 8
      for (int line = 0; line < kRowBytes; line += 64) __builtin_prefetch(ahead + line);
      const Vec x = splat(inputs[wanted[i]]);
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) sums[v] = fma(x, load_weights(row + v * kLanes), sums[v]);
    }
#pragma GCC unroll 8
    for (int v = 0; v < kTileVecs; v++) store(target + v * kLanes, sums[v]);
  }
}

#if defined(EARSHOT_HALF)
void product_half(const float* inputs, const uint16_t* kernel, int first, int last, float* result) {
  memset(result, 0, sizeof(float) * kHidden);
  for (int row = first; row < last; row += kBlockRows) {
    const int rows = last - row < kBlockRows ? last - row : kBlockRows;
    product_one(inputs + row, kernel + static_cast<long>(row) * kHidden, rows, result);
  }
}
#else
constexpr decltype(DenseKernels::product_half) product_half = nullptr;
#endif

void product(const float* inputs, size_t stride, int clips, const float* kernel, int first, int last, float* result) {
  memset(result, 0, sizeof(float) * static_cast<size_t>(clips) * kHidden);
  for (int row = first; row < last; row += kBlockRows) {
    const int rows = last - row < kBlockRows ? last - row : kBlockRows;
    const float* block = kernel + static_cast<long>(row) * kHidden;
    const float* columns = inputs + row;
    if (clips == 1) {
      product_one(columns, block, rows, result);
      continue;
    }
    int clip = 0;
    for (; clip + kTileRows <= clips; clip += kTileRows) {
      product_tile<kTileRows>(columns + static_cast<size_t>(clip) * stride, stride, block, rows, result + clip * kHidden);
    }
    for (; clip < clips; clip++) {
      product_tile<1>(columns + static_cast<size_t>(clip) * stride, stride, block, rows, result + clip * kHidden);
    }
  }
}

EARSHOT_INLINE void adam_vec(const AdamArrays& arrays, size_t at, Vec gradient, const AdamStep& step) {
  const Vec first = load(arrays.first + at) * 0.9f + gradient * 0.1f;
  const Vec second = load(arrays.second + at) * step.decay + gradient * gradient * step.newest;
  const Vec change = first * step.rate / (sqrt(second / step.correction) + 1e-8f);
  store(arrays.values + at, load(arrays.values + at) * step.kept - change);
  store(arrays.first + at, first);
  store(arrays.second + at, second);
}

void adam(const AdamArrays& arrays, const float* gradient, size_t count, const AdamStep& step) {
  size_t at = 0;
  for (; at + kLanes <= count; at += kLanes) adam_vec(arrays, at, load(gradient + at), step);
  if (at == count) return;
  const int rest = static_cast<int>(count - at);
  float values[kLanes], first[kLanes], second[kLanes];
  store(values, load_tail(arrays.values + at, rest));
  store(first, load_tail(arrays.first + at, rest));
  store(second, load_tail(arrays.second + at, rest));
  adam_vec({values, first, second}, 0, load_tail(gradient + at, rest), step);
  store_tail(arrays.values + at, load(values), rest);
  store_tail(arrays.first + at, load(first), rest);
  store_tail(arrays.second + at, load(second), rest);
}

void average(float* means, const float* values, size_t count, float share) {
  size_t at = 0;
  for (; at + kLanes <= count; at += kLanes) {
    const Vec mean = load(means + at);
    store(means + at, fma(load(values + at) - mean, splat(share), mean));
  }
  for (; at < count; at++) means[at] += (values[at] - means[at]) * share;
}

// Computes the gradients of kRows inputs for one or two vectors of clips.
template <int kRows, int kClipVecs>
EARSHOT_INLINE void input_tile(const DenseBackward& pass, int row, int clip, int padded) {
  Vec sums[kRows][kClipVecs] = {};
  const float* kernel = pass.kernel.values + static_cast<size_t>(row) * kHidden;
#pragma GCC unroll 1
  for (int o = 0; o < kHidden; o++) {
    Vec d[kClipVecs];
#pragma GCC unroll 2
    for (int v = 0; v < kClipVecs; v++) d[v] = load(pass.d_outputs_t + static_cast<long>(o) * padded + clip + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
      const Vec w = splat(kernel[r * kHidden + o]);
#pragma GCC unroll 2
      for (int v = 0; v < kClipVecs; v++) sums[r][v] = fma(w, d[v], sums[r][v]);
    }
  }
  float lanes[kRows][kClipVecs * kLanes];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 2
    for (int v = 0; v < kClipVecs; v++) store(&lanes[r][v * kLanes], sums[r][v]);
  }
  const int count = pass.clips - clip < kClipVecs * kLanes ? pass.clips - clip : kClipVecs * kLanes;
  for (int c = 0; c < count; c++) {
    float* target = pass.d_inputs + static_cast<size_t>(clip + c) * pass.input_stride + row;
    for (int r = 0; r < kRows; r++) target[r] = lanes[r][c];
  }
}

template <int kRows>
EARSHOT_INLINE void input_rows(const DenseBackward& pass, int row, int padded) {
  int clip = 0;
  for (; clip + 2 * kLanes <= padded && clip < pass.clips; clip += 2 * kLanes) input_tile<kRows, 2>(pass, row, clip, padded);
  for (; clip < pass.clips; clip += kLanes) input_tile<kRows, 1>(pass, row, clip, padded);
}

// Computes the kernel's gradient for kRows rows, and either writes it or applies the Adam step.
template <int kRows>
EARSHOT_INLINE void kernel_rows(const DenseBackward& pass, int row) {
  for (int group = 0; group < kVecs; group += kTileVecs) {
    Vec sums[kRows][kTileVecs] = {};
#pragma GCC unroll 1
    for (int clip = 0; clip < pass.clips; clip++) {
      const float* d = pass.d_outputs + clip * kHidden + group * kLanes;
      const float* inputs = pass.inputs + static_cast<size_t>(clip) * pass.input_stride + row;
      Vec x[kRows];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; r++) x[r] = splat(inputs[r]);
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) {
        const Vec gradient = load(d + v * kLanes);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; r++) sums[r][v] = fma(x[r], gradient, sums[r][v]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) {
        const size_t at = static_cast<size_t>(row + r) * kHidden + static_cast<size_t>((group + v) * kLanes);
        if (pass.gradient != nullptr) {
          store(pass.gradient + at, sums[r][v]);
        } else {
          adam_vec(pass.kernel, at, sums[r][v], pass.step);
        }
      }
    }
  }
}

void backward(const DenseBackward& pass, int first, int last) {
  constexpr int kInputRows = kRegisters == 32 ? 12 : 6;
  const int padded = (pass.clips + 15) / 16 * 16;
  int row = first;
  for (; row + kInputRows <= last; row += kInputRows) {
    input_rows<kInputRows>(pass, row, padded);
    for (int r = 0; r < kInputRows; r += kTileRows) kernel_rows<kTileRows>(pass, row + r);
  }
  for (; row < last; row++) {
    input_rows<1>(pass, row, padded);
    kernel_rows<1>(pass, row);
  }
}

size_t find_non_finite(const float* values, size_t count) {
  size_t at = 0;
  // x − x is 0 for every finite x, and NaN otherwise.
  for (; at + 4 * kLanes <= count; at += 4 * kLanes) {
    const Vec a = load(values + at), b = load(values + at + kLanes);
    const Vec c = load(values + at + 2 * kLanes), d = load(values + at + 3 * kLanes);
    if (to_bits(((a - a) + (b - b)) + ((c - c) + (d - d)) != 0) != 0) break;
  }
  for (; at < count; at++) {
    if (!(values[at] - values[at] == 0)) return at;
  }
  return count;
}

}  // namespace

extern const DenseKernels dense_kernels;
const DenseKernels dense_kernels = {product, product_half, backward, adam, average, find_non_finite};

}  // namespace earshot::EARSHOT_ISA
