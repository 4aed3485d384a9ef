#include "mel_ensemble.h"

#include <algorithm>

#include "layout.h"

namespace earshot {

MelEnsemble::MelEnsemble(const Kernels& kernels, int threads, const MelSize& size, int members, LogMelFigures figures)
    : size_(size),
      parameters_(size),
      plan_(size, figures.crop_frames),
      pool_(threads),
      log_mel_(*kernels.front_end, std::move(figures), pool_.threads()) {
  for (int member = 0; member < members; member++) members_.emplace_back(size_, parameters_);
  for (int worker = 0; worker < pool_.threads(); worker++) rooms_.emplace_back(*kernels.maps, plan_, size_);
}

size_t MelEnsemble::total() const {
  size_t floats = 0;
  for (const size_t length : parameters_.sizes) floats += length;
  return floats * members_.size();
}

const std::vector<float>& MelEnsemble::logits(const std::vector<Window>& windows, int* counts) {
  const std::vector<float>& inputs = crops(windows, counts);
  const int crops = static_cast<int>(inputs.size() / log_mel_.crop_floats());
  const int each = crops_at_once(members(), crops, pool_.threads());
  const int groups = parts(crops, each);
  const size_t classes = static_cast<size_t>(size_.classes);
  logits_.resize(static_cast<size_t>(members()) * static_cast<size_t>(crops) * classes);
  // The items of a member are consecutive, so that its weights stay in the caches that the threads
  // share.
  pool_.run(members() * groups, [&](int item, int worker) {
    const int member = item / groups, first = item % groups * each;
    const int count = std::min(each, crops - first);
    std::array<const float*, kMostCrops> group;
    for (int i = 0; i < count; i++) {
      group[static_cast<size_t>(i)] = inputs.data() + static_cast<size_t>(first + i) * log_mel_.crop_floats();
    }
    float* rows = logits_.data() + static_cast<size_t>(member * crops + first) * classes;
    rooms_[static_cast<size_t>(worker)].judge(members_[static_cast<size_t>(member)], group.data(), count, rows);
  });
  return logits_;
}

}  // namespace earshot
