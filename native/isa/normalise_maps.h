// Batch norm followed by ReLU and pooling, in one pass over a map; and its gradient, also in one pass.
#pragma once

#include "../map_kernels.h"
#include "vec.h"

namespace earshot::EARSHOT_ISA {

// Parameters of a norm for one vector of channels.
struct NormVec {
  Vec mean, factor, shift;
};

EARSHOT_INLINE NormVec norm_vec(const MapNorm& shape, int channel) {
  return {load(shape.mean + channel), load(shape.factor + channel), load(shape.shift + channel)};
}

// The mean is subtracted first, so that no digits are lost where it is large compared with the
// deviation.
EARSHOT_INLINE Vec normal(const NormVec& norm, Vec x) { return fma(x - norm.mean, norm.factor, norm.shift); }

static void moments(const float* map, int positions, int channels, float* mean, float* squares) {
  for (int channel = 0; channel < channels; channel += kLanes) {
    // Four partial sums lose fewer digits than one, and their additions do not wait for each other.
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

static void normalise(const MapNorm& shape, const float* map, float* output, long out_row, long out_column) {
  const int side = shape.pooled ? 2 : 1;
  const long row = static_cast<long>(shape.columns) * shape.channels;
  for (int channel = 0; channel < shape.channels; channel += kLanes) {
    const NormVec norm = norm_vec(shape, channel);
    for (int r = 0; r < shape.out_rows(); r++) {
      const float* from = map + r * side * row + channel;
      float* to = output + r * out_row + channel;
      for (int c = 0; c < shape.out_columns(); c++, from += side * shape.channels, to += out_column) {
        Vec z = normal(norm, load(from));
        if (shape.pooled) {
          const Vec right = normal(norm, load(from + shape.channels));
          const Vec below = normal(norm, load(from + row));
          const Vec across = normal(norm, load(from + row + shape.channels));
          z = max(max(across, below), max(right, z));
        }
        store(to, shape.relu ? relu(z) : z);
      }
    }
  }
}

// Passes the gradient of one pooled result to its positions: the first largest one gets it, unless ReLU
// is 0 there.
// @param places offsets of the positions, row by row
// @param use called as use(index, x, dz) for each position
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

// Calls use(row, column, x, dz) for every position that contributes to a result.
template <typename Use>
EARSHOT_INLINE void walk_gradients(const MapNorm& shape, int channel, const float* map, const float* d_result, Use use) {
  const NormVec norm = norm_vec(shape, channel);
  const long row = static_cast<long>(shape.columns) * shape.channels;
  const long places[4] = {0, shape.channels, row, row + shape.channels};
  const float* d = d_result + channel;
  for (int r = 0; r < shape.out_rows(); r++) {
    for (int c = 0; c < shape.out_columns(); c++, d += shape.channels) {
      if (shape.pooled) {
        const float* from = map + 2 * r * row + 2L * c * shape.channels + channel;
        share_gradient<4>(norm, shape.relu, from, places, load(d),
                          [&](int i, Vec x, Vec dz) { use(2 * r + i / 2, 2 * c + i % 2, x, dz); });
      } else {
        const float* from = map + r * row + static_cast<long>(c) * shape.channels + channel;
        share_gradient<1>(norm, shape.relu, from, places, load(d), [&](int, Vec x, Vec dz) { use(r, c, x, dz); });
      }
    }
  }
}

static void gradient_sums(const MapNorm& shape, const float* map, const float* d_result, float* sums) {
  for (int channel = 0; channel < shape.channels; channel += kLanes) {
    const Vec mean = load(shape.mean + channel);
    // Two partial sums, one for each row of a pooled pair.
    Vec plain[2] = {}, centred[2] = {};
    walk_gradients(shape, channel, map, d_result, [&](int row, int, Vec x, Vec dz) {
      plain[row % 2] += dz;
      centred[row % 2] = fma(dz, x - mean, centred[row % 2]);
    });
    store(sums + channel, plain[0] + plain[1]);
    store(sums + shape.channels + channel, centred[0] + centred[1]);
  }
}

static void norm_gradient(const MapNorm& shape, const NormGradient& gradient, const float* map, const float* d_result,
                          float* d_map, long d_row, long d_column) {
  for (int channel = 0; channel < shape.channels; channel += kLanes) {
    const Vec mean = load(shape.mean + channel), factor = load(shape.factor + channel);
    const Vec offset = load(gradient.offset + channel), slope = load(gradient.slope + channel);
    const auto put = [&](int row, int column, Vec x, Vec dz) {
      store(d_map + row * d_row + column * d_column + channel, factor * dz - offset - slope * (x - mean));
    };
    walk_gradients(shape, channel, map, d_result, put);
    // Positions outside of all pooling windows have dz = 0, but they are part of the batch statistics.
    for (int r = 0; shape.pooled && r < shape.rows; r++) {
      const int first = r < 2 * shape.out_rows() ? 2 * shape.out_columns() : 0;
      for (int c = first; c < shape.columns; c++) {
        put(r, c, load(map + (static_cast<long>(r) * shape.columns + c) * shape.channels + channel), Vec{});
      }
    }
  }
}

}  // namespace earshot::EARSHOT_ISA
