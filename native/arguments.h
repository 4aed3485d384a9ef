// Readers that check arguments from JavaScript. They throw a TypeError for a wrong type, and a
// RangeError for a wrong size or value. Values are not converted, so that no code of the caller runs
// between the check of a value and its use.
#pragma once

#define NAPI_VERSION 8
#include <napi.h>

#include <algorithm>
#include <new>
#include <string>
#include <vector>

#include "aligned.h"

namespace earshot {

[[noreturn]] inline void refuse_type(Napi::Env env, const std::string& name, const std::string& expected) {
  throw Napi::TypeError::New(env, name + ": expected " + expected);
}

[[noreturn]] inline void refuse_value(Napi::Env env, const std::string& message) {
  throw Napi::RangeError::New(env, message);
}

inline double read_number(const Napi::Value& value, const std::string& name) {
  if (!value.IsNumber()) refuse_type(value.Env(), name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

// Reads a whole number in [min, max].
inline int read_count(const Napi::Value& value, const std::string& name, int min, int max) {
  const double number = read_number(value, name);
  if (!(number >= min && number <= max) || number != static_cast<double>(static_cast<int>(number))) {
    refuse_value(value.Env(), name + ": expected a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return static_cast<int>(number);
}

inline std::string read_text(const Napi::Value& value, const std::string& name) {
  if (!value.IsString()) refuse_type(value.Env(), name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

template <typename T>
struct ArrayKind;
template <>
struct ArrayKind<float> {
  static constexpr napi_typedarray_type type = napi_float32_array;
  static constexpr const char* name = "Float32Array";
};
template <>
struct ArrayKind<double> {
  static constexpr napi_typedarray_type type = napi_float64_array;
  static constexpr const char* name = "Float64Array";
};
template <>
struct ArrayKind<int32_t> {
  static constexpr napi_typedarray_type type = napi_int32_array;
  static constexpr const char* name = "Int32Array";
};
template <>
struct ArrayKind<uint32_t> {
  static constexpr napi_typedarray_type type = napi_uint32_array;
  static constexpr const char* name = "Uint32Array";
};

// Returns the values of a typed array of exactly `length` elements; a detached array has length 0. The
// pointer is valid until JavaScript runs again.
template <typename T>
T* read_array(const Napi::Value& value, const std::string& name, size_t length) {
  const std::string kind = ArrayKind<T>::name;
  if (!value.IsTypedArray()) refuse_type(value.Env(), name, "a " + kind);
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != ArrayKind<T>::type) refuse_type(value.Env(), name, "a " + kind);
  if (array.ElementLength() != length) {
    refuse_value(value.Env(), name + ": expected a " + kind + " of " + std::to_string(length) + ", got " +
                                  std::to_string(array.ElementLength()));
  }
  return value.As<Napi::TypedArrayOf<T>>().Data();
}

// Copies an array of Float32Arrays of the lengths `sizes` into one array, one after the other.
inline AlignedArray<float> read_tensors(const Napi::Value& value, const std::string& name,
                                        const std::vector<size_t>& sizes) {
  if (!value.IsArray()) refuse_type(value.Env(), name, "an array of Float32Array");
  const auto tensors = value.As<Napi::Array>();
  if (tensors.Length() != sizes.size()) {
    refuse_value(value.Env(), name + ": expected " + std::to_string(sizes.size()) + " tensors, got " +
                                  std::to_string(tensors.Length()));
  }
  size_t total = 0;
  for (const size_t size : sizes) total += size;
  AlignedArray<float> read(total);
  float* to = read.data();
  for (uint32_t i = 0; i < sizes.size(); i++) {
    // Each is copied at once, because reading the next element may run a getter that detaches this one.
    const float* from = read_array<float>(tensors.Get(i), name + "[" + std::to_string(i) + "]", sizes[i]);
    to = std::copy_n(from, sizes[i], to);
  }
  return read;
}

// Runs `work` and turns any C++ exception into an error of JavaScript.
template <typename Work>
Napi::Value guarded(Napi::Env env, Work work) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Napi::RangeError::New(env, "There is not enough memory.");
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

}  // namespace earshot
