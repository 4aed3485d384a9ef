#include "frame_cache.h"

#include <algorithm>
#include <cstring>

namespace earshot {

FrameCache::FrameCache(int frame_samples, int capacity)
    : frame_samples_(frame_samples), capacity_(static_cast<size_t>(capacity)) {
  frames_.reserve(capacity_);
}

uint64_t FrameCache::hash(const float* samples) const {
  // Only every sixteenth pair of samples is hashed. Frames of equal hash are compared byte by byte, so a
  // collision costs time but does no harm.
  uint64_t result = 0;
  for (int i = 0; i < frame_samples_; i += 32) {
    uint64_t pair;
    std::memcpy(&pair, samples + i, sizeof pair);
    result = (result ^ pair) * 0x9e3779b97f4a7c15u;
    result ^= result >> 29;
  }
  return result;
}

const FrameCache::Frame* FrameCache::find(uint64_t hash, const float* samples) const {
  const auto place = places_.find(hash);
  if (place == places_.end()) return nullptr;
  const Frame& frame = frames_[place->second];
  const size_t bytes = sizeof(float) * static_cast<size_t>(frame_samples_);
  return std::memcmp(frame.samples.data(), samples, bytes) == 0 ? &frame : nullptr;
}

uint64_t FrameCache::put(uint64_t hash, const float* samples, const float* tokens) {
  const size_t sample_count = static_cast<size_t>(frame_samples_);
  const size_t token_floats = static_cast<size_t>(frame_tokens()) * kTokenWidth;
  size_t place = frames_.size();
  if (const auto same = places_.find(hash); same != places_.end()) {
    place = same->second;
  } else if (place < capacity_) {
    frames_.emplace_back();
    frames_.back().samples = AlignedArray<float>(sample_count);
    frames_.back().tokens = AlignedArray<float>(token_floats);
  } else {
    const auto oldest = std::min_element(frames_.begin(), frames_.end(),
                                         [](const Frame& a, const Frame& b) { return a.used < b.used; });
    place = static_cast<size_t>(oldest - frames_.begin());
    places_.erase(oldest->hash);
  }
  Frame& frame = frames_[place];
  frame.id = ++last_id_;
  frame.previous = 0;
  frame.hash = hash;
  frame.used = ++clock_;
  std::copy_n(samples, sample_count, frame.samples.data());
  std::copy_n(tokens, token_floats, frame.tokens.data());
  places_[hash] = place;
  return frame.id;
}

void FrameCache::put_first(uint64_t hash, uint64_t id, uint64_t previous, const float* token) {
  const auto place = places_.find(hash);
  if (place == places_.end() || frames_[place->second].id != id) return;
  Frame& frame = frames_[place->second];
  frame.previous = previous;
  std::copy_n(token, kTokenWidth, frame.tokens.data());
}

void FrameCache::touch(uint64_t hash) {
  if (const auto place = places_.find(hash); place != places_.end()) frames_[place->second].used = ++clock_;
}

void FrameCache::clear() {
  frames_.clear();
  places_.clear();
}

}  // namespace earshot
