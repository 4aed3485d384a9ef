#include "picture_cache.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace earshot {

namespace {

constexpr int kChains = 4;
// Number of places in one earlier window that are tried: silence looks the same everywhere.
constexpr int kTries = 4;

// Multiplies two numbers and folds the product.
uint64_t mixed(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t drawn_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32 | device()) | 1;
}

}  // namespace

PictureCache::PictureCache(int block_samples, int before, int after, size_t capacity)
    : block_samples_(block_samples), before_(before), after_(after), capacity_(capacity), seed_(drawn_seed()) {
  // Entries keep their addresses.
  entries_.reserve(capacity);
}

uint64_t PictureCache::hash(const float* block) const {
  // Chains that do not wait for each other.
  uint64_t chains[kChains] = {seed_, seed_ + 0x9e3779b97f4a7c15u, seed_ + 0xd1b54a32d192ed03u, seed_ + 0x8cb92ba72f3d8dd7u};
  constexpr int kStep = 4 * kChains;  // floats
  int i = 0;
  for (; i + kStep <= block_samples_; i += kStep) {
    for (int chain = 0; chain < kChains; chain++) {
      uint64_t words[2];
      std::memcpy(words, block + i + 4 * chain, sizeof words);
      chains[chain] = mixed(words[0] ^ chains[chain], words[1] ^ 0xa0761d6478bd642fu);
    }
  }
  uint64_t all = seed_;
  for (; i < block_samples_; i++) {
    uint32_t word;
    std::memcpy(&word, block + i, sizeof word);
    all = mixed(all ^ word, 0xe7037ed1a0b428dbu);
  }
  for (const uint64_t chain : chains) all = mixed(all ^ chain, 0xe7037ed1a0b428dbu);
  return all;
}

PictureCache::Match PictureCache::find(const std::vector<uint64_t>& blocks) {
  const int count = static_cast<int>(blocks.size());
  if (count == 0) return {};
  Entry* best = nullptr;
  int shift = 0, most = 0;
  // A block that the windows of a stream share up to a hop of three quarters of a window.
  const int probe = count / 4;
  for (Entry& entry : entries_) {
    const auto& theirs = entry.blocks;
    const int last = static_cast<int>(theirs.size());
    int tries = 0;
    for (int at = probe; at < last && tries < kTries; at++) {
      if (theirs[static_cast<size_t>(at)] != blocks[static_cast<size_t>(probe)]) continue;
      tries++;
      const int by = at - probe, overlap = std::min(count, last - by);
      int equal = 0;
      for (int b = 0; b < overlap; b++) equal += blocks[static_cast<size_t>(b)] == theirs[static_cast<size_t>(b + by)];
      if (equal <= most) continue;
      most = equal;
      best = &entry;
      shift = by;
    }
  }
  if (best == nullptr) return {};
  best->used = clock_;
  return {best, shift};
}

PictureCache::Entry* PictureCache::replace() {
  Entry* oldest = nullptr;
  if (entries_.size() < capacity_) {
    oldest = &entries_.emplace_back();
  } else {
    for (Entry& entry : entries_) {
      if (entry.used < clock_ && (oldest == nullptr || entry.used < oldest->used)) oldest = &entry;
    }
  }
  if (oldest == nullptr) return nullptr;
  oldest->used = clock_;
  // Nothing is found in it before it is complete.
  oldest->blocks.clear();
  return oldest;
}

bool PictureCache::shares(const std::vector<uint64_t>& blocks, const Match& match, int first, int last) const {
  if (match.from == nullptr) return false;
  const auto& theirs = match.from->blocks;
  const int begin = first - before_, end = last + after_;
  if (begin < 0 || end > static_cast<int>(blocks.size()) || end + match.shift > static_cast<int>(theirs.size())) return false;
  return std::equal(blocks.begin() + begin, blocks.begin() + end, theirs.begin() + begin + match.shift);
}

}  // namespace earshot
