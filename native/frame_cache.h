// A cache of the trunk's tokens, by frame. Consecutive windows of a stream share frames, and so share
// tokens. A token depends on samples from 42 before the start of its own 64 samples to 54 after it. All
// tokens of a frame but the first therefore depend on that frame only; the first depends on the frame
// before it too. Frames are found by their samples, so callers need not say which windows belong to one
// stream.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "aligned.h"
#include "trunk_kernels.h"

namespace earshot {

constexpr int kSamplesPerToken = 64;

class FrameCache {
 public:
  // @param frame_samples a multiple of kSamplesPerToken
  // @param capacity number of frames; the least recently used one is replaced
  FrameCache(int frame_samples, int capacity);

  int frame_samples() const { return frame_samples_; }
  int frame_tokens() const { return frame_samples_ / kSamplesPerToken; }

  // An entry of the cache.
  struct Frame {
    uint64_t id = 0;        // unique, never reused
    uint64_t previous = 0;  // id of the frame before it when its first token was computed; 0: unknown
    uint64_t hash = 0;
    uint64_t used = 0;
    AlignedArray<float> samples;
    AlignedArray<float> tokens;  // [frame_tokens][kTokenWidth]
  };

  uint64_t hash(const float* samples) const;
  // Returns the frame of exactly these samples; null if it is not in the cache. Its first token is valid
  // only behind the frame `previous`. Threads may call this concurrently while no other method is
  // called.
  const Frame* find(uint64_t hash, const float* samples) const;
  // Adds a frame.
  // @param tokens [frame_tokens][kTokenWidth]; the first one becomes valid only by put_first
  // @return the frame's id
  uint64_t put(uint64_t hash, const float* samples, const float* tokens);
  // Sets the first token of a frame behind the frame `previous`; does nothing if the frame was replaced.
  void put_first(uint64_t hash, uint64_t id, uint64_t previous, const float* token);
  // Marks a frame as the most recently used one.
  void touch(uint64_t hash);
  void clear();

 private:
  const int frame_samples_;
  const size_t capacity_;
  uint64_t clock_ = 0;
  uint64_t last_id_ = 0;
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, size_t> places_;
};

}  // namespace earshot
