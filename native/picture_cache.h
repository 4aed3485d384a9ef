// A cache of the encoder's pictures. Consecutive windows of a stream share most of their samples. The
// frames whose samples are at a multiple of the frames' step from where they were are equal to the bit,
// unless they touch an end of the window, where the signal is reflected. Pictures are found by their
// samples, block by block, so callers need not say which windows belong to one stream.
#pragma once

#include <cstdint>
#include <vector>

#include "aligned.h"

namespace earshot {

class PictureCache {
 public:
  // The picture of a window.
  struct Entry {
    std::vector<uint64_t> blocks;  // hashes of the window's whole blocks
    AlignedArray<float> picture;
    long row = 0;  // floats from one band to the next
    uint64_t used = 0;
  };
  // What a window shares with an earlier one: its block b is block b + shift of `from`.
  struct Match {
    const Entry* from = nullptr;  // null: nothing
    int shift = 0;
  };

  // @param block_samples the step from one frame to the next
  // @param before, after a frame reads the samples of so many blocks before and after its first one
  // @param capacity in pictures; the least recently used one is replaced
  PictureCache(int block_samples, int before, int after, size_t capacity);

  int block_samples() const { return block_samples_; }
  // Hash of the block that begins there. It depends on a number that each process draws for itself.
  uint64_t hash(const float* block) const;

  // Begins a call, whose windows are not matched with each other.
  void begin() { clock_++; }
  // Finds an earlier window that shares blocks with this one.
  Match find(const std::vector<uint64_t>& blocks);
  // Returns the entry for a new picture, after `find` for all windows of the call. Its blocks are set
  // when the picture is complete. Null where this call needs all entries.
  Entry* replace();
  // Whether frames [first, last) of a window are frames first + shift, … of the matched one.
  bool shares(const std::vector<uint64_t>& blocks, const Match& match, int first, int last) const;

 private:
  const int block_samples_, before_, after_;
  const size_t capacity_;
  const uint64_t seed_;
  uint64_t clock_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace earshot
