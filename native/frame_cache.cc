#include "frame_cache.h"

#include <algorithm>
#include <cstring>

namespace earshot {

FrameCache::FrameCache(int frame_samples, int capacity)
    : frame_samples_(frame_samples), capacity_(static_cast<size_t>(capacity)) {
  frames_.reserve(capacity_);
}

uint64_t FrameCache::hash(const float* samples) const {
  // Four chains side by side; equal hashes are compared byte by byte, so that this need only spread.
  uint64_t chains[4] = {1, 2, 3, 4};
  for (int i = 0; i < frame_samples_; i += 8) {
    for (int chain = 0; chain < 4; chain++) {
      uint64_t pair;
      std::memcpy(&pair, samples + i + 2 * chain, sizeof pair);
      const uint64_t mixed = (chains[chain] ^ pair) * 0x9e3779b97f4a7c15u;
      chains[chain] = mixed ^ (mixed >> 29);
    }
  }
  uint64_t result = 0;
  for (const uint64_t chain : chains) result = (result ^ chain) * 0xbf58476d1ce4e5b9u + (result >> 31);
  return result;
}

const float* FrameCache::find(uint64_t hash, const float* samples) const {
  const auto place = places_.find(hash);
  if (place == places_.end()) return nullptr;
  const Frame& frame = frames_[place->second];
  const size_t bytes = sizeof(float) * static_cast<size_t>(frame_samples_);
  return std::memcmp(frame.samples.data(), samples, bytes) == 0 ? frame.tokens.data() : nullptr;
}

void FrameCache::put(uint64_t hash, const float* samples, const float* tokens) {
  const size_t sample_count = static_cast<size_t>(frame_samples_);
  const size_t token_floats = static_cast<size_t>(frame_tokens() - 1) * kTokenWidth;
  size_t place = frames_.size();
  if (const auto same = places_.find(hash); same != places_.end()) {
    place = same->second;
  } else if (place < capacity_) {
    frames_.push_back({0, 0, AlignedArray<float>(sample_count), AlignedArray<float>(token_floats)});
  } else {
    const auto oldest = std::min_element(frames_.begin(), frames_.end(),
                                         [](const Frame& a, const Frame& b) { return a.used < b.used; });
    place = static_cast<size_t>(oldest - frames_.begin());
    places_.erase(oldest->hash);
  }
  Frame& frame = frames_[place];
  frame.hash = hash;
  frame.used = ++clock_;
  std::copy_n(samples, sample_count, frame.samples.data());
  std::copy_n(tokens, token_floats, frame.tokens.data());
  places_[hash] = place;
}

void FrameCache::touch(uint64_t hash) {
  if (const auto place = places_.find(hash); place != places_.end()) frames_[place->second].used = ++clock_;
}

void FrameCache::clear() {
  frames_.clear();
  places_.clear();
}

}  // namespace earshot
