// A training pass of the small encoder's network over a batch. Batch norm uses the statistics of the batch, so each layer is
// computed for all pictures before the next layer begins.
#pragma once

#include <memory>

#include "small_net_picture.h"
#include "network.h"
#include "thread_pool.h"

namespace earshot {

class SmallTraining {
 public:
  // @param features number of the first outputs, which learn another network's features; the others learn
  //   its tags (distillation.h)
  SmallTraining(const Kernels& kernels, const SmallSize& size, const SmallParameters& parameters, int features);

  // Computes the forward and the backward pass.
  // @param gradients laid out as the values; the entries of running statistics are not written
  StepResult pass(ThreadPool& pool, const Batch& batch, const float* values, float* gradients);

  // Moves the running statistics in `values` towards those of the last pass.
  void update_running(float* values) const;

 private:
  // Pictures in a work item of the backward pass. It is fixed, so that the order of sums does not depend on
  // the number of threads.
  static constexpr int kGroupPictures = 4;

  struct Picture {
    Picture(const SmallPlan& plan, const SmallSize& size);
    SmallTape tape;
    std::vector<AlignedArray<float>> d_results;  // by layer: the gradient of its pooled result
    AlignedArray<float> statistics;              // [3 × head]
    AlignedArray<float> d_statistics;
    AlignedArray<float> d_outputs;
    double loss;
  };
  struct Workplace {
    explicit Workplace(const SmallPlan& plan);
    std::vector<AlignedArray<float>> d_maps;  // by layer, with padding
    AlignedArray<float> fields, d_picture;
  };

  void reserve(int pictures, int frames, int workers);
  void pack(ThreadPool& pool, const float* values);
  SmallPass shared() const { return {*kernels_.maps, *plan_, norms_, packed_}; }
  const float* features_of(const Batch& batch, int picture) const;
  StepResult forward(ThreadPool& pool, const Batch& batch, const float* values);
  void compare(const Batch& batch, int at, const float* values, Picture& picture);
  void dense_gradients(ThreadPool& pool, const Batch& batch, float* gradients) const;
  void layer_backward(ThreadPool& pool, const Batch& batch, int layer, float* gradients);
  void picture_backward(const Batch& batch, int layer, int at, float* partial, Workplace& place);
  void add_partials(ThreadPool& pool, int layer, int groups, float* gradients) const;

  const Kernels& kernels_;
  const SmallSize size_;
  const SmallParameters& parameters_;
  const int features_;
  std::unique_ptr<SmallPlan> plan_;
  std::vector<SmallNorm> norms_;
  std::vector<AlignedArray<float>> packed_, packed_backward_;
  std::vector<std::unique_ptr<Picture>> pictures_;
  std::vector<std::vector<PictureSums>> sums_;  // by norm, then by picture
  std::vector<Workplace> workplaces_;
  std::vector<AlignedArray<float>> partials_;  // by group of pictures: its part of a kernel's gradient
};

}  // namespace earshot
