#include "trunk.h"

namespace earshot {

namespace {

constexpr int kWidth2 = kTrunkBlocks[1].out;
// Two rows of zeros precede the first row; they are the third block's padding.
constexpr size_t kLeadingFloats = 2 * kWidth2;

size_t rows2_floats(const TrunkShape& shape) {
  return kLeadingFloats + static_cast<size_t>(shape.rows2 + kTrunkSlackRows) * kWidth2;
}

}  // namespace

TrunkTape::TrunkTape(const TrunkShape& shape)
    : rows2_(rows2_floats(shape)),
      tokens_(static_cast<size_t>(shape.tokens + kTrunkSlackRows) * kTokenWidth),
      winners2_(static_cast<size_t>(shape.rows2 + kTrunkSlackRows)),
      winners3_(static_cast<size_t>(shape.tokens + kTrunkSlackRows)) {}

TrunkTapeView TrunkTape::view() const {
  return {rows2_.data() + kLeadingFloats, winners2_.data(), tokens_.data(), winners3_.data()};
}

Trunk::Trunk(const Kernels& kernels, int samples, int workers)
    : kernels_(*kernels.trunk),
      shape_(TrunkShape::of(samples)),
      packed_(kernels_.packed_floats),
      workplaces_(static_cast<size_t>(workers)) {
  for (Workplace& workplace : workplaces_) workplace.scratch = AlignedArray<float>(kernels_.scratch_floats);
}

void Trunk::set_weights(const float* weights) { kernels_.pack(weights, packed_.data()); }

void Trunk::infer(const float* samples, int first, int last, float* tokens, int worker) {
  float* scratch = workplaces_[static_cast<size_t>(worker)].scratch.data();
  kernels_.infer(shape_, packed_.data(), samples, first, last, tokens, scratch);
}

void Trunk::forward(const float* samples, const ClipDropout& dropout, TrunkTape& tape, int worker) {
  float* scratch = workplaces_[static_cast<size_t>(worker)].scratch.data();
  kernels_.forward(shape_, packed_.data(), samples, dropout, tape.view(), scratch);
}

void Trunk::backward(const float* samples, const ClipDropout& dropout, const TrunkTape& tape, const float* d_tokens,
                     float* gradients, int worker) {
  Workplace& workplace = workplaces_[static_cast<size_t>(worker)];
  if (workplace.d_rows2.size() == 0) workplace.d_rows2 = AlignedArray<float>(rows2_floats(shape_) + kTrunkSlackRows * kWidth2);
  kernels_.backward(shape_, packed_.data(), samples, dropout, tape.view(), d_tokens,
                    workplace.d_rows2.data() + kLeadingFloats, gradients, workplace.scratch.data());
}

}  // namespace earshot
