#include "encoder.h"

#include <cmath>

namespace earshot {

namespace {

size_t padded(const EncoderShape& shape) { return static_cast<size_t>(shape.padded); }

size_t pair_floats(const EncoderShape& shape) { return 2 * shape.plane(); }

// Enough for the narrowest vectors, of four lanes.
size_t range_floats(const EncoderShape& shape) { return padded(shape) * 3 * kTokenWidth / 4; }

// The position encoding of shared/compute/network/position-encoding.ts as a plane [16][padded].
AlignedArray<float> position_encoding(const EncoderShape& shape) {
  AlignedArray<float> positions(shape.plane());
  for (int token = 0; token < shape.tokens; token++) {
    for (int pair = 0; pair < kTokenWidth; pair += 2) {
      const double angle = token / std::pow(10000.0, static_cast<double>(pair) / kTokenWidth);
      const size_t at = static_cast<size_t>(pair) * padded(shape) + static_cast<size_t>(token);
      positions[at] = static_cast<float>(std::sin(angle));
      positions[at + padded(shape)] = static_cast<float>(std::cos(angle));
    }
  }
  return positions;
}

}  // namespace

EncoderTape::EncoderTape(const EncoderShape& shape)
    : inputs_(kAttentionBlocks * shape.plane()),
      attended_((kAttentionBlocks - 1) * shape.plane()),
      log_sums_((kAttentionBlocks - 1) * 4 * padded(shape)),
      shares_(4 * padded(shape)),
      row_(encoder_row_floats(shape)) {}

EncoderTapeView EncoderTape::view() const {
  return {inputs_.data(), attended_.data(), log_sums_.data(), shares_.data(), row_.data()};
}

EncoderPass::EncoderPass(const EncoderShape& shape) {
  for (int i = 0; i < 2; i++) {
    inputs_[i] = AlignedArray<float>(shape.plane());
    pairs_[i] = AlignedArray<float>(pair_floats(shape));
    ranges_[i] = AlignedArray<float>(range_floats(shape));
  }
  scratch_ = AlignedArray<float>(4 * padded(shape) + encoder_row_floats(shape));
}

Encoder::Encoder(const Kernels& kernels, const EncoderShape& shape, int workers)
    : kernels_(*kernels.encoder),
      shape_(shape),
      positions_(position_encoding(shape)),
      workplaces_(static_cast<size_t>(workers)) {}

int Encoder::tiles() const { return (shape_.tokens + kernels_.lanes - 1) / kernels_.lanes; }

void Encoder::infer_tile(const float* weights, int stage, int tile, const float* trunk_tokens,
                         EncoderPass& pass) const {
  const int to = stage % 2, from = 1 - to;
  const KeysView keys[2] = {{pass.pairs_[0].data(), pass.ranges_[0].data()},
                            {pass.pairs_[1].data(), pass.ranges_[1].data()}};
  if (stage == 0) {
    kernels_.embed(shape_, weights, positions_.data(), trunk_tokens, tile, pass.inputs_[to].data(), keys[to]);
  } else {
    kernels_.attend(shape_, weights, stage - 1, tile, pass.inputs_[from].data(), keys[from], pass.inputs_[to].data(),
                    keys[to]);
  }
}

void Encoder::classify(const float* weights, EncoderPass& pass, float* logits) const {
  kernels_.classify(shape_, weights, pass.inputs_[(kStages - 1) % 2].data(), logits, pass.scratch_.data());
}

void Encoder::forward(const float* weights, const float* trunk_tokens, const EncoderDropout& dropout,
                      EncoderTape& tape, float* logits, int worker) {
  Workplace& place = workplaces_[static_cast<size_t>(worker)];
  if (place.pairs.size() == 0) {
    place.pairs = AlignedArray<float>(pair_floats(shape_));
    place.ranges = AlignedArray<float>(range_floats(shape_));
    place.scratch = AlignedArray<float>(kernels_.backward_scratch_floats(shape_));
  }
  kernels_.forward(shape_, weights, positions_.data(), trunk_tokens, dropout, tape.view(),
                   {place.pairs.data(), place.ranges.data()}, logits);
}

void Encoder::backward(const float* weights, const EncoderDropout& dropout, const EncoderTape& tape,
                       const float* d_logits, float* d_trunk_tokens, float* gradients, int worker) {
  kernels_.backward(shape_, weights, dropout, tape.view(), d_logits, d_trunk_tokens, gradients,
                    workplaces_[static_cast<size_t>(worker)].scratch.data());
}

}  // namespace earshot
