// A training pass of `mel` over a batch: batch norm with the batch's own statistics, so that every layer of all crops is
// made before the next.
#pragma once

#include <memory>

#include "mel_crop.h"
#include "network.h"
#include "thread_pool.h"

namespace earshot {

class MelTraining {
 public:
  MelTraining(const Kernels& kernels, const MelSize& size, const MelParameters& parameters, double rate);

  // Forward and backward. @param gradients laid out as the values, those of statistics untouched
  StepResult pass(ThreadPool& pool, const Batch& batch, const float* values, float* gradients);

  // Moves the running statistics in `values` to those of the last pass.
  void update_running(float* values) const;

 private:
  // Crops an item of the backward pass; fixed, so that sums are taken in one order whatever the threads.
  static constexpr int kGroupCrops = 4;

  struct Crop {
    Crop(const MelPlan& plan, const MelSize& size);
    MelTape tape;
    std::vector<AlignedArray<float>> d_results;  // by layer: the gradients of its pooled result
    AlignedArray<float> statistics;              // [3 × head]
    AlignedArray<float> dropped;                 // the same after dropout
    AlignedArray<float> d_statistics;
    AlignedArray<float> d_logits;
    StepResult result;
  };
  struct Workplace {
    explicit Workplace(const MelPlan& plan);
    std::vector<AlignedArray<float>> d_maps;  // by layer, with zeros around them
    AlignedArray<float> fields, d_crop;
  };

  void reserve(int crops, int frames, int workers);
  void pack(ThreadPool& pool, const float* values);
  MelPass shared() const { return {*kernels_.maps, *plan_, norms_, packed_}; }
  const float* features_of(const Batch& batch, int crop) const;
  StepResult forward(ThreadPool& pool, const Batch& batch, const float* values);
  void classify(const Batch& batch, int at, const float* values, Crop& crop);
  void dense_gradients(const Batch& batch, float* gradients) const;
  void layer_backward(ThreadPool& pool, const Batch& batch, int layer, float* gradients);
  void crop_backward(const Batch& batch, int layer, int at, float* partial, Workplace& place);
  void add_partials(ThreadPool& pool, int layer, int groups, float* gradients) const;

  const Kernels& kernels_;
  const MelSize size_;
  const MelParameters& parameters_;
  const double rate_;
  std::unique_ptr<MelPlan> plan_;
  std::vector<MelNorm> norms_;
  std::vector<AlignedArray<float>> packed_, packed_backward_;
  std::vector<std::unique_ptr<Crop>> crops_;
  std::vector<std::vector<CropSums>> sums_;  // by norm, then by crop
  std::vector<Workplace> workplaces_;
  std::vector<AlignedArray<float>> partials_;  // a kernel's gradient of each group of crops
};

}  // namespace earshot
