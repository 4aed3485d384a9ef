#include "small_net_inference.h"

#include <algorithm>

#include "layout.h"
#include "small_net_picture.h"

namespace earshot {

namespace {

constexpr int kHeadLayer = kSmallLayers - 1;
constexpr int kTileValues = 16;
// Number of tiles whose values and products fit into the cache together.
constexpr int kTilesAtOnce = 32;
// Floats between the 16 matrices: matrices a power of two apart would share one set of the cache.
constexpr int kStreamGap = 16;
// From this layer on maps are small compared with weights, so a layer is computed for all pictures before
// the next.
constexpr int kFirstSharedLayer = 4;

size_t count_of(int rows, int columns) { return static_cast<size_t>(rows) * static_cast<size_t>(columns); }

// How a layer's map is split into tiles.
struct TileGrid {
  explicit TileGrid(const SmallLayer& layer)
      : rows(layer.pooled ? layer.rows / 2 : parts(layer.rows, 2)),
        columns(layer.columns / 2),
        rows_at_once(std::clamp(kTilesAtOnce / columns, 1, std::max(rows, 1))) {}
  int rows, columns, rows_at_once;
  int tiles_at_once() const { return rows_at_once * columns; }
};

// Transforms a 3 × 3 kernel g into the 16 values G g Gᵀ.
void transform_kernel(const double (&kernel)[3][3], double (&transformed)[4][4]) {
  double rows[4][3];
  for (int j = 0; j < 3; j++) {
    rows[0][j] = kernel[0][j];
    rows[1][j] = (kernel[0][j] + kernel[1][j] + kernel[2][j]) / 2;
    rows[2][j] = (kernel[0][j] - kernel[1][j] + kernel[2][j]) / 2;
    rows[3][j] = kernel[2][j];
  }
  for (int i = 0; i < 4; i++) {
    transformed[i][0] = rows[i][0];
    transformed[i][1] = (rows[i][0] + rows[i][1] + rows[i][2]) / 2;
    transformed[i][2] = (rows[i][0] - rows[i][1] + rows[i][2]) / 2;
    transformed[i][3] = rows[i][2];
  }
}

}  // namespace

int pictures_at_once(int pictures, int threads) {
  int best = 1, least = 0;
  for (int each = std::min(pictures, kMostPictures); each >= 1; each--) {
    const int longest = parts(parts(pictures, each), threads) * each;
    if (least != 0 && longest >= least) continue;
    least = longest;
    best = each;
  }
  return best;
}

SmallWeights::SmallWeights(const SmallSize& size, const SmallParameters& parameters)
    : size_(size),
      parameters_(parameters),
      input_norm_(kSmallBands),
      first_norm_(size.width),
      head_norm_(size.head),
      dense_(count_of(size.statistics(), size.outputs)),
      dense_bias_(static_cast<size_t>(size.outputs)) {
  const SmallPlan plan(size, kFewestFrames);
  first_ = AlignedArray<float>(plan.layers[0].kernel_floats());
  head_ = AlignedArray<float>(plan.layers[kHeadLayer].kernel_floats());
  for (size_t layer = 1; layer < kHeadLayer; layer++) {
    const SmallLayer& is = plan.layers[layer];
    inner_.push_back({AlignedArray<float>(kTileValues * count_of(is.in, is.padded_out)),
                      AlignedArray<float>(static_cast<size_t>(is.padded_out))});
  }
}

void SmallWeights::take(const float* values) {
  const SmallPlan plan(size_, kFewestFrames);
  input_norm_.use_running(values, parameters_.input_norm);
  first_norm_.use_running(values, parameters_.norms[0]);
  head_norm_.use_running(values, parameters_.norms[kHeadLayer]);
  pack_forward(plan.layers[0], values + parameters_.kernels[0], first_.data());
  pack_forward(plan.layers[kHeadLayer], values + parameters_.kernels[kHeadLayer], head_.data());
  std::copy_n(values + parameters_.dense_kernel, dense_.size(), dense_.data());
  std::copy_n(values + parameters_.dense_bias, dense_bias_.size(), dense_bias_.data());
  for (size_t layer = 1; layer < kHeadLayer; layer++) {
    const SmallLayer& is = plan.layers[layer];
    const size_t in = static_cast<size_t>(is.in), out = static_cast<size_t>(is.out);
    const size_t padded = static_cast<size_t>(is.padded_out);
    const float* kernel = values + parameters_.kernels[layer];  // [3][3][in][out]
    Winograd& inner = inner_[layer - 1];
    for (size_t o = 0; o < out; o++) {
      const FoldedNorm norm = fold_norm(values, parameters_.norms[layer], o);
      inner.bias[o] = static_cast<float>(norm.shift);
      for (size_t k = 0; k < in; k++) {
        double taps[3][3], transformed[4][4];
        for (size_t tap = 0; tap < 9; tap++) taps[tap / 3][tap % 3] = norm.factor * kernel[(tap * in + k) * out + o];
        transform_kernel(taps, transformed);
        for (size_t i = 0; i < kTileValues; i++) {
          inner.kernel[(i * in + k) * padded + o] = static_cast<float>(transformed[i / 4][i % 4]);
        }
      }
    }
  }
}

SmallRoom::SmallRoom(const MapKernels& kernels, const SmallPlan& plan, const SmallSize& size)
    : kernels_(kernels), plan_(plan), size_(size) {
  size_t values = 0, products = 0;
  for (int layer = 0; layer < kSmallLayers; layer++) {
    const SmallLayer& is = plan.layers[static_cast<size_t>(layer)];
    // With an odd number of rows, the last tiles read one row beyond the map.
    input_floats_[static_cast<size_t>(layer)] = is.input_floats + static_cast<size_t>(is.forward.row);
    const int places = layer < kFirstSharedLayer ? 1 : kMostPictures;
    inputs_.emplace_back(static_cast<size_t>(places) * input_floats_[static_cast<size_t>(layer)]);
    if (layer == 0 || layer == kHeadLayer) continue;
    const TileGrid grid(is);
    values = std::max(values, count_of(grid.tiles_at_once(), is.padded_in));
    products = std::max(products, count_of(grid.tiles_at_once(), is.padded_out));
  }
  values_ = AlignedArray<float>(kTileValues * (values + kStreamGap));
  products_ = AlignedArray<float>(kTileValues * (products + kStreamGap));
  first_map_ = AlignedArray<float>(plan.layers[0].map_floats());
  head_map_ = AlignedArray<float>(kMostPictures * plan.layers[kHeadLayer].map_floats());
  result_ = AlignedArray<float>(plan.layers[kHeadLayer].map_floats());
  statistics_ = AlignedArray<float>(static_cast<size_t>(size.statistics()));
}

void SmallRoom::first_layer(const SmallWeights& weights, const float* picture, int place) {
  const SmallLayer& first = plan_.layers[0];
  const SmallLayer& next = plan_.layers[1];
  kernels_.normalise(weights.input_norm_.over(plan_.frames, 1, false, false), picture, inside(0, place), first.input_row, 0);
  kernels_.convolve(first.forward, input(0, place), weights.first_.data(), first_map_.data());
  kernels_.normalise(weights.first_norm_.over(first.rows, first.columns, true, false), first_map_.data(),
                     inside(1, place), next.input_row, next.input_column);
}

void SmallRoom::inner_layer(const SmallWeights& weights, int layer, int place) {
  const size_t at = static_cast<size_t>(layer);
  const SmallLayer& is = plan_.layers[at];
  const SmallLayer& next = plan_.layers[at + 1];
  const SmallWeights::Winograd& inner = weights.inner_[at - 1];
  const int to_place = layer + 1 < kFirstSharedLayer ? 0 : place;
  const int from_place = layer < kFirstSharedLayer ? 0 : place;
  const TileGrid grid(is);
  const long out_rows = is.pooled ? 1 : 2;
  for (int row = 0; row < grid.rows; row += grid.rows_at_once) {
    const int rows = std::min(grid.rows_at_once, grid.rows - row);
    const int tiles = rows * grid.columns;
    const WinogradTiles cut{rows,
                            grid.columns,
                            is.rows - 2 * row,
                            is.padded_in,
                            is.padded_out,
                            is.pooled,
                            is.forward.row,
                            static_cast<long>(tiles) * is.padded_in + kStreamGap,
                            static_cast<long>(tiles) * is.padded_out + kStreamGap,
                            next.input_row,
                            next.input_column};
    kernels_.winograd_input(cut, input(layer, from_place) + 2 * row * is.forward.row, values_.data());
    const Convolution product{1, tiles, 1, 1, is.in, is.padded_out, 0, is.padded_in, 0, 0, 0, is.padded_out};
    for (int i = 0; i < kTileValues; i++) {
      kernels_.convolve(product, values_.data() + i * cut.in_step,
                        inner.kernel.data() + static_cast<size_t>(i) * count_of(is.in, is.padded_out),
                        products_.data() + i * cut.out_step);
    }
    kernels_.winograd_output(cut, products_.data(), inner.bias.data(),
                             inside(layer + 1, to_place) + row * out_rows * next.input_row);
  }
}

void SmallRoom::head(const SmallWeights& weights, int count) {
  const SmallLayer& is = plan_.layers[kHeadLayer];
  Convolution pictures = is.forward;
  pictures.rows = count;
  pictures.row = static_cast<long>(input_floats_[kHeadLayer]);
  pictures.out_row = static_cast<long>(is.map_floats());
  kernels_.convolve(pictures, input(kHeadLayer, 0), weights.head_.data(), head_map_.data());
}

void SmallRoom::judge(const SmallWeights& weights, const float* const* pictures, int count, float* logits) {
  for (int picture = 0; picture < count; picture++) {
    first_layer(weights, pictures[picture], 0);
    for (int layer = 1; layer < kFirstSharedLayer; layer++) inner_layer(weights, layer, picture);
  }
  for (int layer = kFirstSharedLayer; layer < kHeadLayer; layer++) {
    for (int picture = 0; picture < count; picture++) inner_layer(weights, layer, picture);
  }
  head(weights, count);
  const MapNorm norm = weights.head_norm_.over(plan_.layers[kHeadLayer].rows, 1, true, false);
  const size_t classes = static_cast<size_t>(size_.outputs);
  for (int picture = 0; picture < count; picture++) {
    const float* map = head_map_.data() + static_cast<size_t>(picture) * plan_.layers[kHeadLayer].map_floats();
    over_time(kernels_, norm, map, result_.data(), statistics_.data());
    float* row = logits + static_cast<size_t>(picture) * classes;
    std::copy_n(weights.dense_bias_.data(), classes, row);
    for (size_t i = 0; i < statistics_.size(); i++) {
      for (size_t c = 0; c < classes; c++) row[c] += statistics_[i] * weights.dense_[i * classes + c];
    }
  }
}

}  // namespace earshot
