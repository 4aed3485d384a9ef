// A training pass of `mel` over a batch. Batch norm uses the statistics of the batch, so each layer is
// computed for all crops before the next layer begins.
#pragma once

#include <memory>

#include "mel_crop.h"
#include "network.h"
#include "thread_pool.h"

namespace earshot {

class MelTraining {
 public:
  // @param taught number of the first outputs that learn another network's features, the others its tags
  //   (distillation.h); 0: all are logits of classes
  MelTraining(const Kernels& kernels, const MelSize& size, const MelParameters& parameters, double rate, int taught);

  // Computes the forward and the backward pass.
  // @param gradients laid out as the values; the entries of running statistics are not written
  StepResult pass(ThreadPool& pool, const Batch& batch, const float* values, float* gradients);

  // Moves the running statistics in `values` towards those of the last pass.
  void update_running(float* values) const;

 private:
  // Crops in a work item of the backward pass. It is fixed, so that the order of sums does not depend on
  // the number of threads.
  static constexpr int kGroupCrops = 4;

  struct Crop {
    Crop(const MelPlan& plan, const MelSize& size);
    MelTape tape;
    std::vector<AlignedArray<float>> d_results;  // by layer: the gradient of its pooled result
    AlignedArray<float> statistics;              // [3 × head]
    AlignedArray<float> dropped;                 // the statistics after dropout
    AlignedArray<float> d_statistics;
    AlignedArray<float> d_logits;
    StepResult result;
  };
  struct Workplace {
    explicit Workplace(const MelPlan& plan);
    std::vector<AlignedArray<float>> d_maps;  // by layer, with padding
    AlignedArray<float> fields, d_crop;
  };

  void reserve(int crops, int frames, int workers);
  void pack(ThreadPool& pool, const float* values);
  MelPass shared() const { return {*kernels_.maps, *plan_, norms_, packed_}; }
  const float* features_of(const Batch& batch, int crop) const;
  StepResult forward(ThreadPool& pool, const Batch& batch, const float* values);
  void classify(const Batch& batch, int at, const float* values, Crop& crop);
  void dense_gradients(ThreadPool& pool, const Batch& batch, float* gradients) const;
  void layer_backward(ThreadPool& pool, const Batch& batch, int layer, float* gradients);
  void crop_backward(const Batch& batch, int layer, int at, float* partial, Workplace& place);
  void add_partials(ThreadPool& pool, int layer, int groups, float* gradients) const;

  const Kernels& kernels_;
  const MelSize size_;
  const MelParameters& parameters_;
  const double rate_;
  const int taught_;
  std::unique_ptr<MelPlan> plan_;
  std::vector<MelNorm> norms_;
  std::vector<AlignedArray<float>> packed_, packed_backward_;
  std::vector<std::unique_ptr<Crop>> crops_;
  std::vector<std::vector<CropSums>> sums_;  // by norm, then by crop
  std::vector<Workplace> workplaces_;
  std::vector<AlignedArray<float>> partials_;  // by group of crops: its part of a kernel's gradient
};

}  // namespace earshot
