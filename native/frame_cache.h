// Tokens of frames seen before. A token depends on the samples from 42 before its own 64 to 54 after their start, so that
// all tokens of a frame but its first are a function of that frame alone, and its first of the frame before it too: windows that share frames, as a stream's
// consecutive windows do, share their tokens. Found by content, so that nobody has to say which windows belong together.
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
  // @param capacity frames kept; the one not used for longest gives way
  FrameCache(int frame_samples, int capacity);

  int frame_samples() const { return frame_samples_; }
  int frame_tokens() const { return frame_samples_ / kSamplesPerToken; }

  // What is remembered of a frame.
  struct Frame {
    uint64_t id = 0;        // given once
    uint64_t previous = 0;  // the frame that stood before it when its first token was computed; 0: unknown
    uint64_t hash = 0;
    uint64_t used = 0;
    AlignedArray<float> samples;
    AlignedArray<float> tokens;  // [frame_tokens][kTokenWidth]
  };

  uint64_t hash(const float* samples) const;
  // The frame of exactly these samples; null when it is not known. Its first token stands for no other `previous`.
  // May be called from several threads as long as nothing is put.
  const Frame* find(uint64_t hash, const float* samples) const;
  // @param tokens all of them; the first is kept by put_first alone
  // @return the frame's id
  uint64_t put(uint64_t hash, const float* samples, const float* tokens);
  // Keeps the first token of a frame behind another, unless the frame has given way.
  void put_first(uint64_t hash, uint64_t id, uint64_t previous, const float* token);
  // Keeps a found frame from giving way.
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
