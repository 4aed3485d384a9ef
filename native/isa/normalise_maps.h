// Batch norm with ReLU and pooling behind it, in one pass over a map each way.
#pragma once

#include "../map_kernels.h"
#include "vec.h"

namespace earshot::EARSHOT_ISA {

// One vector of channels of a norm.
struct NormVec {
  Vec mean, factor, shift;
};

EARSHOT_INLINE NormVec norm_vec(const MapNorm& is, int channel) {
  return {load(is.mean + channel), load(is.factor + channel), load(is.shift + channel)};
}

// Centred first: a mean that is large beside the deviation costs no digits.
EARSHOT_INLINE Vec normal(const NormVec& norm, Vec x) { return fma(x - norm.mean, norm.factor, norm.shift); }

static void moments(const float* map, int positions, int channels, float* mean, float* squares) {
  for (int channel = 0; channel < channels; channel += kLanes) {
    // Four chains: a sum of many positions loses fewer digits, and its additions do not wait for each other.
    Vec sums[4] = {};
    for (int p = 0; p < positions; p++) sums[p % 4] += load(map + static_cast<long>(p) * channels + channel);
    const Vec centre = ((sums[0] + sums[1]) + (sums[2] + sums[3])) / static_cast<float>(positions);
    Vec around[4] = {};
    for (int p = 0; p < positions; p++) {
      const Vec from = load(map + static_cast<long>(p) * channels + channel) - centre;
      around[p % 4] = fma(from, from, around[p % 4]);
    }
    store(mean + channel, centre);
    store(squares + channel, (around[0] + around[1]) + (around[2] + around[3]));
  }
}

static void normalise(const MapNorm& is, const float* map, float* output, long out_row, long out_column) {
  const int side = is.pooled ? 2 : 1;
  const long row = static_cast<long>(is.columns) * is.channels;
  for (int channel = 0; channel < is.channels; channel += kLanes) {
    const NormVec norm = norm_vec(is, channel);
    for (int r = 0; r < is.out_rows(); r++) {
      const float* from = map + r * side * row + channel;
      float* to = output + r * out_row + channel;
      for (int c = 0; c < is.out_columns(); c++, from += side * is.channels, to += out_column) {
        Vec z = normal(norm, load(from));
        if (is.pooled) {
          const Vec right = normal(norm, load(from + is.channels));
          const Vec below = normal(norm, load(from + row));
          const Vec across = normal(norm, load(from + row + is.channels));
          z = max(max(across, below), max(right, z));
        }
        store(to, is.relu ? relu(z) : z);
      }
    }
  }
}

// The gradients of the positions under one result: the first of the largest takes it, where ReLU lets it through.
// @param places the offsets of its positions, in reading order; use(index, x, dz)
template <int kPlaces, typename Use>
EARSHOT_INLINE void share_gradient(const NormVec& norm, bool relu, const float* from, const long* places, Vec d, Use use) {
  Vec x[kPlaces], z[kPlaces];
#pragma GCC unroll 4
  for (int i = 0; i < kPlaces; i++) {
    x[i] = load(from + places[i]);
    z[i] = normal(norm, x[i]);
  }
  Vec highest = z[0];
#pragma GCC unroll 4
  for (int i = 1; i < kPlaces; i++) highest = max(highest, z[i]);
  Vec rest = relu ? select(highest > Vec{}, d, Vec{}) : d;
#pragma GCC unroll 4
  for (int i = 0; i < kPlaces; i++) {
    const IntVec wins = z[i] >= highest;
    use(i, x[i], kPlaces == 1 ? rest : select(wins, rest, Vec{}));
    rest = select(wins, Vec{}, rest);
  }
}

// use(row, column, x, dz) for every position that has a gradient.
template <typename Use>
EARSHOT_INLINE void walk_gradients(const MapNorm& is, int channel, const float* map, const float* d_result, Use use) {
  const NormVec norm = norm_vec(is, channel);
  const long row = static_cast<long>(is.columns) * is.channels;
  const long places[4] = {0, is.channels, row, row + is.channels};
  const float* d = d_result + channel;
  for (int r = 0; r < is.out_rows(); r++) {
    for (int c = 0; c < is.out_columns(); c++, d += is.channels) {
      if (is.pooled) {
        const float* from = map + 2 * r * row + 2L * c * is.channels + channel;
        share_gradient<4>(norm, is.relu, from, places, load(d),
                          [&](int i, Vec x, Vec dz) { use(2 * r + i / 2, 2 * c + i % 2, x, dz); });
      } else {
        const float* from = map + r * row + static_cast<long>(c) * is.channels + channel;
        share_gradient<1>(norm, is.relu, from, places, load(d), [&](int, Vec x, Vec dz) { use(r, c, x, dz); });
      }
    }
  }
}

static void gradient_sums(const MapNorm& is, const float* map, const float* d_result, float* sums) {
  for (int channel = 0; channel < is.channels; channel += kLanes) {
    const Vec mean = load(is.mean + channel);
    // Two chains, a row each of a pooled pair.
    Vec plain[2] = {}, centred[2] = {};
    walk_gradients(is, channel, map, d_result, [&](int row, int, Vec x, Vec dz) {
      plain[row % 2] += dz;
      centred[row % 2] = fma(dz, x - mean, centred[row % 2]);
    });
    store(sums + channel, plain[0] + plain[1]);
    store(sums + is.channels + channel, centred[0] + centred[1]);
  }
}

static void norm_gradient(const MapNorm& is, const NormGradient& gradient, const float* map, const float* d_result,
                          float* d_map, long d_row, long d_column) {
  for (int channel = 0; channel < is.channels; channel += kLanes) {
    const Vec mean = load(is.mean + channel), factor = load(is.factor + channel);
    const Vec offset = load(gradient.offset + channel), slope = load(gradient.slope + channel);
    const auto put = [&](int row, int column, Vec x, Vec dz) {
      store(d_map + row * d_row + column * d_column + channel, factor * dz - offset - slope * (x - mean));
    };
    walk_gradients(is, channel, map, d_result, put);
    // Positions that the pool leaves out have no gradient of their own, and a part in the statistics all the same.
    for (int r = 0; is.pooled && r < is.rows; r++) {
      const int first = r < 2 * is.out_rows() ? 2 * is.out_columns() : 0;
      for (int c = first; c < is.columns; c++) {
        put(r, c, load(map + (static_cast<long>(r) * is.columns + c) * is.channels + channel), Vec{});
      }
    }
  }
}

}  // namespace earshot::EARSHOT_ISA
