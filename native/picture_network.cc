#include "picture_network.h"

#include "small_net_inference.h"

namespace earshot {

namespace {

class MobilePictures final : public PictureNetwork {
 public:
  MobilePictures(const Kernels& kernels, int threads)
      : net_(kernels), rooms_(static_cast<size_t>(threads)), scratches_(static_cast<size_t>(threads)) {}

  const std::vector<size_t>& sizes() const override { return net_.sizes(); }
  size_t total() const override { return net_.total(); }
  void take(const float* values) override { net_.take(values); }
  void run(const float* picture, int columns, long, size_t worker, const Runner& runner, float* outputs) override {
    net_.run(picture, columns, rooms_[worker], scratches_, runner, outputs);
  }

 private:
  MobileNet net_;
  std::vector<MobileNet::Room> rooms_;        // by worker
  std::vector<MobileNet::Scratch> scratches_;  // by worker
};

constexpr SmallSize kSmallSize{32, 160, kEncoderOutputs};
static_assert(kEncoderBands == 2 * kSmallBands);

class SmallPictures final : public PictureNetwork {
 public:
  SmallPictures(const Kernels& kernels, int threads)
      : kernels_(*kernels.maps), parameters_(kSmallSize), weights_(kSmallSize, parameters_), rooms_(static_cast<size_t>(threads)) {}

  const std::vector<size_t>& sizes() const override { return parameters_.sizes; }
  size_t total() const override { return parameters_.dense_bias + static_cast<size_t>(kSmallSize.outputs); }
  void take(const float* values) override { weights_.take(values); }
  void run(const float* picture, int columns, long row, size_t worker, const Runner&, float* outputs) override {
    const int frames = columns / 2;
    Room& room = room_of(rooms_[worker], frames);
    for (int frame = 0; frame < frames; frame++) {
      float* to = room.small.data() + static_cast<size_t>(frame) * kSmallBands;
      for (int bin = 0; bin < kSmallBands; bin++) {
        const float* low = picture + 2 * bin * row + 2 * frame;
        const float* high = low + row;
        to[bin] = (low[0] + low[1] + high[0] + high[1]) * 0.25f;
      }
    }
    const float* small = room.small.data();
    room.room.judge(weights_, &small, 1, outputs);
  }

 private:
  // Memory of one thread for pictures of one length.
  struct Room {
    Room(const MapKernels& kernels, int frames)
        : plan(kSmallSize, frames), room(kernels, plan, kSmallSize), small(static_cast<size_t>(frames) * kSmallBands) {}
    const SmallPlan plan;
    SmallRoom room;
    AlignedArray<float> small;
  };
  struct Rooms {
    std::unique_ptr<Room> usual, other;
  };

  // Most windows have one length. Memory for it is kept, and so is memory for the last other length.
  Room& room_of(Rooms& rooms, int frames) const {
    for (std::unique_ptr<Room>* room : {&rooms.usual, &rooms.other}) {
      if (*room && (*room)->plan.frames == frames) return **room;
    }
    std::unique_ptr<Room>& place = rooms.usual && rooms.usual->plan.frames > frames ? rooms.other : rooms.usual;
    place = std::make_unique<Room>(kernels_, frames);
    return *place;
  }

  const MapKernels& kernels_;
  const SmallParameters parameters_;
  SmallWeights weights_;
  std::vector<Rooms> rooms_;  // by worker
};

}  // namespace

std::unique_ptr<PictureNetwork> create_mobile_pictures(const Kernels& kernels, int threads) {
  return std::make_unique<MobilePictures>(kernels, threads);
}

std::unique_ptr<PictureNetwork> create_small_pictures(const Kernels& kernels, int threads) {
  return std::make_unique<SmallPictures>(kernels, threads);
}

}  // namespace earshot
