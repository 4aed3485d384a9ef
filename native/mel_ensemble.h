// All members of a served version of `mel`. One call turns windows into every member's logits of every
// crop.
#pragma once

#include <memory>

#include "log_mel.h"
#include "mel_inference.h"

namespace earshot {

class MelEnsemble {
 public:
  MelEnsemble(const Kernels& kernels, int threads, const MelSize& size, int members, LogMelFigures figures);

  const MelParameters& parameters() const { return parameters_; }
  int members() const { return static_cast<int>(members_.size()); }
  int classes() const { return size_.classes; }
  size_t total() const;

  // Sets a member's weights. @param values all its parameters, in the order of parameters()
  void take(int member, const float* values) { members_[static_cast<size_t>(member)].take(values); }

  // Computes the crops only. @param counts [windows.size()], receives the number of crops of each window
  const std::vector<float>& crops(const std::vector<Window>& windows, int* counts) {
    return log_mel_.crops(pool_, windows, counts);
  }
  // Computes crops and logits. @return [member][crop][class]; valid until the next call
  const std::vector<float>& logits(const std::vector<Window>& windows, int* counts);

 private:
  const MelSize size_;
  const MelParameters parameters_;
  const MelPlan plan_;
  ThreadPool pool_;
  LogMel log_mel_;
  std::vector<MelWeights> members_;
  std::vector<MelRoom> rooms_;  // by worker
  std::vector<float> logits_;
};

}  // namespace earshot
