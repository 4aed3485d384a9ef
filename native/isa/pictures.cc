// Kernels of the pretrained encoder. Neighbouring pixels are in the lanes, so that no lanes are wasted
// for any number of channels.
#include "../picture_kernels.h"
#include "spectra.h"

namespace earshot::EARSHOT_ISA {

namespace {

// Vectors of pixels of a register tile; its other side is kChannelGroup channels.
constexpr int kPixelVecs = kRegisters == 32 ? 3 : 1;

EARSHOT_INLINE Vec minimum(Vec a, Vec b) { return a < b ? a : b; }

EARSHOT_INLINE Vec activate(Vec value, Activation activation) {
  if (activation == Activation::kNone) return value;
  if (activation == Activation::kRelu) return relu(value);
  return value * minimum(relu(value + splat(3.0f)), splat(6.0f)) * splat(1.0f / 6);
}

template <int kVecs>
EARSHOT_INLINE void pointwise_tile(const Pointwise& layer, const float* input, float* output, const float* residual) {
  Vec sums[kChannelGroup][kVecs];
#pragma GCC unroll 8
  for (int o = 0; o < kChannelGroup; o++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) sums[o][v] = splat(layer.bias[o]);
  }
  const float* kernel = layer.kernel;
#pragma GCC unroll 1
  for (int i = 0; i < layer.in; i++, kernel += layer.kernel_row, input += layer.in_plane) {
    Vec x[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) x[v] = load(input + v * kLanes);
#pragma GCC unroll 8
    for (int o = 0; o < kChannelGroup; o++) {
      const Vec weight = splat(kernel[o]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; v++) sums[o][v] = fma(weight, x[v], sums[o][v]);
    }
  }
#pragma GCC unroll 8
  for (int o = 0; o < kChannelGroup; o++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) {
      Vec value = activate(sums[o][v], layer.activation);
      if (residual != nullptr) value += load(residual + o * layer.out_plane + v * kLanes);
      store(output + o * layer.out_plane + v * kLanes, value);
    }
  }
}

// Writes whole vectors; the output's planes have room for them.
void pointwise(const Pointwise& layer, const float* input, float* output) {
  const float* residual = layer.residual;
  int pixel = 0;
  const auto step = [&](int vecs) {
    pixel += vecs * kLanes;
    input += vecs * kLanes;
    output += vecs * kLanes;
    if (residual != nullptr) residual += vecs * kLanes;
  };
  while (pixel + kPixelVecs * kLanes <= layer.pixels) {
    pointwise_tile<kPixelVecs>(layer, input, output, residual);
    step(kPixelVecs);
  }
  while (pixel < layer.pixels) {
    pointwise_tile<1>(layer, input, output, residual);
    step(1);
  }
}

constexpr int rounded_up(int count) { return (count + kLanes - 1) / kLanes * kLanes; }

// A row of scratch memory is kMargin zeros, the values, and zeros up to the end of the last vector that
// is read.
constexpr int kMargin = kPixelStep;
constexpr int row_length(int columns) { return kMargin + (columns + 2 * kPixelStep) / kPixelStep * kPixelStep + kPixelStep; }

// Rows in the ring of input rows: the 5 of a kernel and one more. With stride 2 a row is stored as two
// halves.
constexpr int kRows = 6;
size_t row_scratch(int columns) { return static_cast<size_t>(2 * kRows) * static_cast<size_t>(row_length(columns)); }

void clear_row(float* row, int length) {
  for (int i = 0; i < length; i += kLanes) store(row + i, Vec{});
}

// Copies a row of the input, with zeros around it.
void copy_row(const float* from, int columns, float* row, int length) {
  clear_row(row, kMargin);
  int i = 0;
  for (; i + kLanes <= columns; i += kLanes) store(row + kMargin + i, load(from + i));
  if (i < columns) {
    store(row + kMargin + i, load_tail(from + i, columns - i));
    i += kLanes;
  }
  for (i += kMargin; i < length; i += kLanes) store(row + i, Vec{});
}

// Splits a row of the input into its even and its odd columns, each with zeros around them.
void split_row(const float* from, int columns, float* even, float* odd, int length) {
  IntVec evens, odds;
#pragma GCC unroll 16
  for (int lane = 0; lane < kLanes; lane++) {
    evens[lane] = 2 * lane;
    odds[lane] = 2 * lane + 1;
  }
  clear_row(even, kMargin);
  clear_row(odd, kMargin);
  int i = 0;
  for (; 2 * i + 2 * kLanes <= columns; i += kLanes) {
    const Vec a = load(from + 2 * i), b = load(from + 2 * i + kLanes);
    store(even + kMargin + i, shuffle(a, b, evens));
    store(odd + kMargin + i, shuffle(a, b, odds));
  }
  const int rest = columns - 2 * i;
  const Vec a = rest >= kLanes ? load(from + 2 * i) : load_tail(from + 2 * i, rest);
  const Vec b = rest > kLanes ? load_tail(from + 2 * i + kLanes, rest - kLanes) : Vec{};
  store(even + kMargin + i, shuffle(a, b, evens));
  store(odd + kMargin + i, shuffle(a, b, odds));
  for (i += kMargin + kLanes; i < length; i += kLanes) {
    store(even + i, Vec{});
    store(odd + i, Vec{});
  }
}

// Returns where tap `x` of the first output of a row reads. `row` holds all columns (stride 1), or the
// even columns and, `half` floats later, the odd ones (stride 2).
template <int kSize, int kStride>
EARSHOT_INLINE const float* tap_of(const float* row, int half, int x) {
  const int column = x - (kSize - 1) / 2;
  if (kStride == 1) return row + kMargin + column;
  const bool odd = (column & 1) != 0;
  return row + (odd ? half : 0) + kMargin + (odd ? (column - 1) / 2 : column / 2);
}

template <int kSize, int kStride>
float depthwise_rows(const Depthwise& layer, const float* input, float* scratch, float* output) {
  const int length = row_length(kStride == 1 ? layer.columns : (layer.columns + 1) / 2);
  const int each = kStride * length;
  const auto row_of = [&](int row) { return scratch + row % kRows * each; };
  const int padding = (kSize - 1) / 2;
  int next = layer.first * kStride - padding;  // the input row that is prepared next
  Vec total{};
  for (int out = layer.first; out < layer.last; out++, output += layer.out_columns) {
    const int top = out * kStride - padding;
    for (; next < top + kSize; next++) {
      float* row = row_of(next + kRows);
      const float* from = input + static_cast<long>(next - layer.given) * layer.columns;
      if (next < 0 || next >= layer.rows) {
        clear_row(row, each);
      } else if (kStride == 1) {
        copy_row(from, layer.columns, row, length);
      } else {
        split_row(from, layer.columns, row, row + length, length);
      }
    }
    const float* taps[kSize][kSize];
#pragma GCC unroll 5
    for (int y = 0; y < kSize; y++) {
#pragma GCC unroll 5
      for (int x = 0; x < kSize; x++) taps[y][x] = tap_of<kSize, kStride>(row_of(top + y + kRows), length, x);
    }
    for (int column = 0; column < layer.out_columns; column += kLanes) {
      Vec sum = splat(layer.bias), other{};
#pragma GCC unroll 5
      for (int y = 0; y < kSize; y++) {
#pragma GCC unroll 5
        for (int x = 0; x < kSize; x++) {
          // Two partial sums, because additions to a single one would wait for each other.
          Vec& into = (y * kSize + x) % 2 == 0 ? sum : other;
          into = fma(splat(layer.kernel[y * kSize + x]), load(taps[y][x] + column), into);
        }
      }
      const Vec value = activate(sum + other, layer.activation);
      const int rest = layer.out_columns - column;
      if (rest >= kLanes) {
        store(output + column, value);
        total += value;
      } else {
        store_tail(output + column, value, rest);
        total += load_tail(output + column, rest);
      }
    }
  }
  return sum(total);
}

float depthwise(const Depthwise& layer, const float* input, float* scratch, float* output) {
  if (layer.size == 3 && layer.stride == 1) return depthwise_rows<3, 1>(layer, input, scratch, output);
  if (layer.size == 3) return depthwise_rows<3, 2>(layer, input, scratch, output);
  if (layer.stride == 1) return depthwise_rows<5, 1>(layer, input, scratch, output);
  return depthwise_rows<5, 2>(layer, input, scratch, output);
}

void stem(const Stem& layer, const float* input, float* scratch, float* output) {
  const int out_columns = (layer.columns + 1) / 2;
  const int length = row_length(out_columns);
  const auto row_of = [&](int row) { return scratch + (row + kRows) % kRows * 2 * length; };
  int next = 2 * layer.first - 1;
  for (int out = layer.first; out < layer.last; out++, output += out_columns) {
    const int top = 2 * out - 1;
    for (; next < top + 3; next++) {
      float* row = row_of(next);
      if (next < 0 || next >= layer.rows) {
        clear_row(row, 2 * length);
      } else {
        split_row(input + next * layer.in_row, layer.columns, row, row + length, length);
      }
    }
    for (int column = 0; column < out_columns; column += kLanes) {
      Vec sums[kChannelGroup];
#pragma GCC unroll 8
      for (int o = 0; o < kChannelGroup; o++) sums[o] = splat(layer.bias[o]);
      const float* kernel = layer.kernel;
#pragma GCC unroll 3
      for (int y = 0; y < 3; y++) {
#pragma GCC unroll 3
        for (int x = 0; x < 3; x++, kernel += kChannelGroup) {
          const Vec value = load(tap_of<3, 2>(row_of(top + y), length, x) + column);
#pragma GCC unroll 8
          for (int o = 0; o < kChannelGroup; o++) sums[o] = fma(splat(kernel[o]), value, sums[o]);
        }
      }
      const int rest = out_columns - column;
#pragma GCC unroll 8
      for (int o = 0; o < kChannelGroup; o++) {
        float* to = output + o * layer.out_plane + column;
        const Vec value = activate(sums[o], Activation::kHardSwish);
        if (rest >= kLanes) {
          store(to, value);
        } else {
          store_tail(to, value, rest);
        }
      }
    }
  }
}

float total(const float* values, int count) {
  Vec all{};
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) all += load(values + i);
  if (i < count) all += load_tail(values + i, count - i);
  return sum(all);
}

template <int kVecs>
EARSHOT_INLINE void dense_tile(const float* input, int in, const float* kernel, long kernel_row, const float* bias,
                               Activation activation, float* output) {
  Vec sums[kVecs];
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; v++) sums[v] = load(bias + v * kLanes);
#pragma GCC unroll 1
  for (int i = 0; i < in; i++, kernel += kernel_row) {
    const Vec x = splat(input[i]);
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; v++) sums[v] = fma(x, load(kernel + v * kLanes), sums[v]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; v++) store(output + v * kLanes, activate(sums[v], activation));
}

void dense(const float* input, int in, const float* kernel, long kernel_row, const float* bias, int out,
           Activation activation, float* output) {
  int o = 0;
  for (; o + 4 * kLanes <= out; o += 4 * kLanes) {
    dense_tile<4>(input, in, kernel + o, kernel_row, bias + o, activation, output + o);
  }
  for (; o + kLanes <= out; o += kLanes) {
    dense_tile<1>(input, in, kernel + o, kernel_row, bias + o, activation, output + o);
  }
  for (; o < out; o++) {
    float sum = bias[o];
    for (int i = 0; i < in; i++) sum += input[i] * kernel[i * kernel_row + o];
    output[o] = activate(splat(sum), activation)[0];
  }
}

size_t mel_scratch(const MelTables& tables) { return static_cast<size_t>(tables.size + tables.bins) * kLanes; }

// (ln(power + 1e-5) + 4.5) / 5
EARSHOT_INLINE Vec mel_level(Vec power) {
  constexpr double kLn2 = 0.69314718055994531;
  float lanes[kLanes];
  store(lanes, power);
  for (int half = 0; half < kLanes; half += kWideLanes) {
    const Wide level = log2(widen(lanes + half) + splat(1e-5)) * splat(kLn2);
    store_narrow(lanes + half, (level + splat(4.5)) * splat(0.2));
  }
  return load(lanes);
}

void mel_rows(const MelTables& tables, const float* samples, int hop, float* scratch, float* rows, long row) {
  const int half = tables.size / 2;
  float* values = scratch;
  float* spectrum = scratch + static_cast<long>(tables.size) * kLanes;
  for (int i = 0; i < tables.start; i++) store(values + static_cast<long>(i) * kLanes, Vec{});
  for (int i = 0; i < tables.heard; i += kLanes) {
    const Vec window = load(tables.window + i);
    Vec frames[kLanes];
#pragma GCC unroll 16
    for (int f = 0; f < kLanes; f++) frames[f] = load(samples + f * hop + tables.start + i) * window;
    transpose(frames);
#pragma GCC unroll 16
    for (int f = 0; f < kLanes; f++) store(values + static_cast<long>(tables.start + i + f) * kLanes, frames[f]);
  }
  for (int i = tables.start + tables.heard; i < tables.size; i++) store(values + static_cast<long>(i) * kLanes, Vec{});
  transform(values, half, tables.twiddles);
  for (int k = 0; k < tables.bins; k++) {
    store(spectrum + static_cast<long>(k) * kLanes, power_of(values, half, tables.order, tables.turns, k));
  }
  const float* weights = tables.weights;
  for (int band = 0; band < tables.bands; band++) {
    Vec power{};
    const float* bins = spectrum + static_cast<long>(tables.first[band]) * kLanes;
    for (int i = 0; i < tables.count[band]; i++) power = fma(splat(*weights++), load(bins + i * kLanes), power);
    store(rows + band * row, mel_level(power));
  }
}

}  // namespace

extern const PictureKernels picture_kernels;
const PictureKernels picture_kernels = {kLanes,    mel_scratch, row_scratch, mel_rows, stem,
                                        pointwise, depthwise,   total,       dense};

}  // namespace earshot::EARSHOT_ISA
