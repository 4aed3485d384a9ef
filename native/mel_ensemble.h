// A served version of `mel`: windows in, every member's logits of every crop out, in one call.
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

  // @param values of one network, all its parameters
  void take(int member, const float* values) { members_[static_cast<size_t>(member)].take(values); }

  // @param counts [windows.size()]: crops of each window, written
  const std::vector<float>& crops(const std::vector<Window>& windows, int* counts) {
    return log_mel_.crops(pool_, windows, counts);
  }
  // @return [member][crop][class] of those crops; valid until the next call
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
