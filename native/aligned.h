// Arrays that are aligned to cache lines (64 bytes) and filled with zeros.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace earshot {

struct AlignedFree {
  void operator()(void* memory) const { std::free(memory); }
};

// An array of fixed length. The constructor throws std::bad_alloc.
template <typename T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(size_t length) : length_(length) {
    const size_t bytes = (length * sizeof(T) + 63) / 64 * 64;
    void* memory = std::aligned_alloc(64, bytes > 0 ? bytes : 64);
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    values_.reset(static_cast<T*>(memory));
  }
  size_t size() const { return length_; }
  T* data() { return values_.get(); }
  const T* data() const { return values_.get(); }
  T& operator[](size_t index) { return values_.get()[index]; }
  const T& operator[](size_t index) const { return values_.get()[index]; }

 private:
  size_t length_ = 0;
  std::unique_ptr<T, AlignedFree> values_;
};

}  // namespace earshot
