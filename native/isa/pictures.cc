// The pretrained encoder: neighbouring pixels lie in the lanes, so that every number of channels is computed without waste.
#include "../picture_kernels.h"
#include "spectra.h"

namespace earshot::EARSHOT_ISA {

namespace {

// Vectors of pixels times channels that a 1 × 1 convolution keeps in registers.
constexpr int kPixelVecs = kRegisters == 32 ? 3 : 1;

EARSHOT_INLINE Vec least(Vec a, Vec b) { return a < b ? a : b; }

EARSHOT_INLINE Vec activate(Vec value, Activation activation) {
  if (activation == Activation::kNone) return value;
  if (activation == Activation::kRelu) return relu(value);
  return value * least(relu(value + splat(3.0f)), splat(6.0f)) * splat(1.0f / 6);
}

template <int kVecs>
EARSHOT_INLINE void pointwise_tile(const Pointwise& is, const float* input, float* output, const float* residual) {
  Vec sums[kChannelGroup][kVecs];
#pragma GCC unroll 8
  for (int o = 0; o < kChannelGroup; o++) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; v++) sums[o][v] = splat(is.bias[o]);
  }
  const float* kernel = is.kernel;
#pragma GCC unroll 1
  for (int i = 0; i < is.in; i++, kernel += is.kernel_row, input += is.in_plane) {
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
      Vec value = activate(sums[o][v], is.activation);
      if (residual != nullptr) value += load(residual + o * is.out_plane + v * kLanes);
      store(output + o * is.out_plane + v * kLanes, value);
    }
  }
}

// Writes whole vectors: the output's planes have room for them.
void pointwise(const Pointwise& is, const float* input, float* output) {
  const float* residual = is.residual;
  int pixel = 0;
  const auto step = [&](int vecs) {
    pixel += vecs * kLanes;
    input += vecs * kLanes;
    output += vecs * kLanes;
    if (residual != nullptr) residual += vecs * kLanes;
  };
  while (pixel + kPixelVecs * kLanes <= is.pixels) {
    pointwise_tile<kPixelVecs>(is, input, output, residual);
    step(kPixelVecs);
  }
  while (pixel < is.pixels) {
    pointwise_tile<1>(is, input, output, residual);
    step(1);
  }
}

constexpr int rounded_up(int count) { return (count + kLanes - 1) / kLanes * kLanes; }

// A row of scratch memory: `kMargin` zeros, the values, and zeros up to what the last vector reads.
constexpr int kMargin = kPixelStep;
constexpr int row_length(int columns) { return kMargin + (columns + 2 * kPixelStep) / kPixelStep * kPixelStep + kPixelStep; }

// Up to 5 + 1 rows of input, each in two halves where the stride is 2.
constexpr int kRows = 6;
size_t row_scratch(int columns) { return static_cast<size_t>(2 * kRows) * static_cast<size_t>(row_length(columns)); }

void clear_row(float* row, int length) {
  for (int i = 0; i < length; i += kLanes) store(row + i, Vec{});
}

// The row with zeros around it.
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

// The even columns and the odd ones, each with zeros around them.
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

// Where tap `x` of the first output of a row reads: `row` holds all columns, or its halves the even and the odd ones.
template <int kSize, int kStride>
EARSHOT_INLINE const float* tap_of(const float* row, int half, int x) {
  const int column = x - (kSize - 1) / 2;
  if (kStride == 1) return row + kMargin + column;
  const bool odd = (column & 1) != 0;
  return row + (odd ? half : 0) + kMargin + (odd ? (column - 1) / 2 : column / 2);
}

template <int kSize, int kStride>
float depthwise_rows(const Depthwise& is, const float* input, float* scratch, float* output) {
  const int length = row_length(kStride == 1 ? is.columns : (is.columns + 1) / 2);
  const int each = kStride * length;
  const auto row_of = [&](int row) { return scratch + row % kRows * each; };
  const int padding = (kSize - 1) / 2;
  int next = is.first * kStride - padding;  // the input row that is prepared next
  Vec total{};
  for (int out = is.first; out < is.last; out++, output += is.out_columns) {
    const int top = out * kStride - padding;
    for (; next < top + kSize; next++) {
      float* row = row_of(next + kRows);
      const float* from = input + static_cast<long>(next - is.given) * is.columns;
      if (next < 0 || next >= is.rows) {
        clear_row(row, each);
      } else if (kStride == 1) {
        copy_row(from, is.columns, row, length);
      } else {
        split_row(from, is.columns, row, row + length, length);
      }
    }
    const float* taps[kSize][kSize];
#pragma GCC unroll 5
    for (int y = 0; y < kSize; y++) {
#pragma GCC unroll 5
      for (int x = 0; x < kSize; x++) taps[y][x] = tap_of<kSize, kStride>(row_of(top + y + kRows), length, x);
    }
    for (int column = 0; column < is.out_columns; column += kLanes) {
      Vec sum = splat(is.bias), other{};
#pragma GCC unroll 5
      for (int y = 0; y < kSize; y++) {
#pragma GCC unroll 5
        for (int x = 0; x < kSize; x++) {
          // Two sums: one alone would wait for each of its own results.
          Vec& into = (y * kSize + x) % 2 == 0 ? sum : other;
          into = fma(splat(is.kernel[y * kSize + x]), load(taps[y][x] + column), into);
        }
      }
      const Vec value = activate(sum + other, is.activation);
      const int rest = is.out_columns - column;
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

float depthwise(const Depthwise& is, const float* input, float* scratch, float* output) {
  if (is.size == 3 && is.stride == 1) return depthwise_rows<3, 1>(is, input, scratch, output);
  if (is.size == 3) return depthwise_rows<3, 2>(is, input, scratch, output);
  if (is.stride == 1) return depthwise_rows<5, 1>(is, input, scratch, output);
  return depthwise_rows<5, 2>(is, input, scratch, output);
}

void stem(const Stem& is, const float* input, float* scratch, float* output) {
  const int out_columns = (is.columns + 1) / 2;
  const int length = row_length(out_columns);
  const auto row_of = [&](int row) { return scratch + (row + kRows) % kRows * 2 * length; };
  int next = 2 * is.first - 1;
  for (int out = is.first; out < is.last; out++, output += out_columns) {
    const int top = 2 * out - 1;
    for (; next < top + 3; next++) {
      float* row = row_of(next);
      if (next < 0 || next >= is.rows) {
        clear_row(row, 2 * length);
      } else {
        split_row(input + next * is.in_row, is.columns, row, row + length, length);
      }
    }
    for (int column = 0; column < out_columns; column += kLanes) {
      Vec sums[kChannelGroup];
#pragma GCC unroll 8
      for (int o = 0; o < kChannelGroup; o++) sums[o] = splat(is.bias[o]);
      const float* kernel = is.kernel;
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
        float* to = output + o * is.out_plane + column;
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

size_t mel_scratch(const MelTables& is) { return static_cast<size_t>(is.size + is.bins) * kLanes; }

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

void mel_rows(const MelTables& is, const float* samples, int hop, float* scratch, float* rows, long row) {
  const int half = is.size / 2;
  float* values = scratch;
  float* spectrum = scratch + static_cast<long>(is.size) * kLanes;
  for (int i = 0; i < is.start; i++) store(values + static_cast<long>(i) * kLanes, Vec{});
  for (int i = 0; i < is.heard; i += kLanes) {
    const Vec window = load(is.window + i);
    Vec frames[kLanes];
#pragma GCC unroll 16
    for (int f = 0; f < kLanes; f++) frames[f] = load(samples + f * hop + is.start + i) * window;
    transpose(frames);
#pragma GCC unroll 16
    for (int f = 0; f < kLanes; f++) store(values + static_cast<long>(is.start + i + f) * kLanes, frames[f]);
  }
  for (int i = is.start + is.heard; i < is.size; i++) store(values + static_cast<long>(i) * kLanes, Vec{});
  transform(values, half, is.twiddles);
  for (int k = 0; k < is.bins; k++) {
    store(spectrum + static_cast<long>(k) * kLanes, power_of(values, half, is.order, is.turns, k));
  }
  const float* weights = is.weights;
  for (int band = 0; band < is.bands; band++) {
    Vec power{};
    const float* bins = spectrum + static_cast<long>(is.first[band]) * kLanes;
    for (int i = 0; i < is.count[band]; i++) power = fma(splat(*weights++), load(bins + i * kLanes), power);
    store(rows + band * row, mel_level(power));
  }
}

}  // namespace

extern const PictureKernels picture_kernels;
const PictureKernels picture_kernels = {kLanes,    mel_scratch, row_scratch, mel_rows, stem,
                                        pointwise, depthwise,   total,       dense};

}  // namespace earshot::EARSHOT_ISA
