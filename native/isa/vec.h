// The vector types and operations. This header is compiled once for each instruction set, with its
// compiler flags and in its own namespace (EARSHOT_ISA). Only files in native/isa/ include it. They use
// no templates of the standard library: the linker keeps one copy of such an inline function, and one
// from an AVX-512 object would crash an older processor.
#pragma once

#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef EARSHOT_ISA
#error "native/isa is compiled with -DEARSHOT_ISA=<namespace>"
#endif

#define EARSHOT_INLINE static inline __attribute__((always_inline))

namespace earshot::EARSHOT_ISA {

// Floats in a register, and number of registers.
#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kRegisters = 32;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kRegisters = 16;
#elif defined(__aarch64__)
constexpr int kLanes = 4;
constexpr int kRegisters = 32;
#else
constexpr int kLanes = 4;
constexpr int kRegisters = 16;
#endif

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t IntVec __attribute__((vector_size(4 * kLanes)));
typedef uint32_t UintVec __attribute__((vector_size(4 * kLanes)));
// The same without alignment.
typedef float LooseVec __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef uint32_t LooseUintVec __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

EARSHOT_INLINE Vec load(const float* from) { return *reinterpret_cast<const LooseVec*>(from); }
// Loads kLanes half-precision floats as floats; defined where there is an instruction for it.
#if defined(__AVX512F__)
#define EARSHOT_HALF 1
EARSHOT_INLINE Vec load_half(const uint16_t* from) {
  return (Vec)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
#elif defined(__AVX2__) && defined(__F16C__)
#define EARSHOT_HALF 1
EARSHOT_INLINE Vec load_half(const uint16_t* from) {
  return (Vec)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
#elif defined(__aarch64__)
#define EARSHOT_HALF 1
EARSHOT_INLINE Vec load_half(const uint16_t* from) {
  return (Vec)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}
#endif
EARSHOT_INLINE void store(float* to, Vec value) { *reinterpret_cast<LooseVec*>(to) = value; }
// x − 0 equals x for every x, so the compiler reduces this to a broadcast; 0 + x differs from x for −0.
EARSHOT_INLINE Vec splat(float value) { return value - Vec{}; }
EARSHOT_INLINE UintVec splat_bits(uint32_t value) { return UintVec{} + value; }

// 0, 1, 2, … in the lanes.
EARSHOT_INLINE UintVec lane_numbers() {
  UintVec lanes{};
  for (int i = 0; i < kLanes; i++) lanes[i] = static_cast<uint32_t>(i);
  return lanes;
}

// a · b + c; the compiler makes it one instruction where there is one (-ffp-contract=fast).
EARSHOT_INLINE Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }

// Lane i of the result is lane order[i] of `a` followed by `b`. The order is a compile-time constant.
template <typename Vector, typename Order>
EARSHOT_INLINE Vector shuffle(Vector a, Vector b, Order order) {
#if defined(__clang__)
  constexpr int kCount = sizeof(Order) / sizeof(order[0]);
  Vector result{};
#pragma clang loop unroll(full)
  for (int i = 0; i < kCount; i++) result[i] = order[i] < kCount ? a[order[i]] : b[order[i] - kCount];
  return result;
#else
  return __builtin_shuffle(a, b, order);
#endif
}

// Lane i of the result is entry index[i] mod kLanes of the table.
EARSHOT_INLINE IntVec look_up(IntVec table, IntVec index) {
#if !defined(__clang__)
  return __builtin_shuffle(table, index);
#elif defined(__AVX512F__)
  return (IntVec)_mm512_permutexvar_epi32((__m512i)index, (__m512i)table);
#elif defined(__AVX2__)
  return (IntVec)_mm256_permutevar8x32_epi32((__m256i)table, (__m256i)index);
#else
  IntVec result{};
  for (int i = 0; i < kLanes; i++) result[i] = table[index[i] & (kLanes - 1)];
  return result;
#endif
}

EARSHOT_INLINE Vec select(IntVec mask, Vec yes, Vec no) { return mask ? yes : no; }

// a > b ? a : b in every lane, so that a NaN in `b` is kept.
EARSHOT_INLINE Vec max(Vec a, Vec b) {
#if defined(__AVX512F__)
  return (Vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
  return (Vec)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (Vec)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}

// a < b ? a : b in every lane, so that a NaN in `b` is kept.
EARSHOT_INLINE Vec min(Vec a, Vec b) {
#if defined(__AVX512F__)
  return (Vec)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
  return (Vec)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (Vec)_mm_min_ps((__m128)a, (__m128)b);
#else
  return a < b ? a : b;
#endif
}

EARSHOT_INLINE Vec relu(Vec value) { return max(Vec{}, value); }

EARSHOT_INLINE Vec sqrt(Vec value) {
#if defined(__AVX512F__)
  return (Vec)_mm512_sqrt_ps((__m512)value);
#elif defined(__AVX2__)
  return (Vec)_mm256_sqrt_ps((__m256)value);
#elif defined(__SSE2__)
  return (Vec)_mm_sqrt_ps((__m128)value);
#elif defined(__aarch64__)
  return (Vec)vsqrtq_f32((float32x4_t)value);
#else
  for (int i = 0; i < kLanes; i++) value[i] = __builtin_sqrtf(value[i]);
  return value;
#endif
}

// The result of a comparison as one bit for each lane.
EARSHOT_INLINE uint32_t to_bits(IntVec mask) {
#if defined(__AVX512DQ__)
  return _mm512_movepi32_mask((__m512i)mask);
#elif defined(__AVX2__)
  return static_cast<uint32_t>(_mm256_movemask_ps((__m256)mask));
#elif defined(__SSE2__)
  return static_cast<uint32_t>(_mm_movemask_ps((__m128)mask));
#elif defined(__aarch64__)
  return vaddvq_u32((uint32x4_t)((UintVec)mask & (splat_bits(1) << lane_numbers())));
#else
  uint32_t bits = 0;
  for (int i = 0; i < kLanes; i++) bits |= (static_cast<uint32_t>(mask[i]) & 1u) << i;
  return bits;
#endif
}

// A mask with all bits set in the lanes whose bit is set.
EARSHOT_INLINE IntVec from_bits(uint32_t bits) {
#if defined(__AVX512DQ__)
  return (IntVec)_mm512_movm_epi32(static_cast<__mmask16>(bits));
#else
  return (IntVec)((splat_bits(bits) & (splat_bits(1) << lane_numbers())) != 0);
#endif
}

// Loads `count` < kLanes floats, and zeros in the other lanes; reads no memory beyond them.
EARSHOT_INLINE Vec load_tail(const float* from, int count) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#else
  float lanes[kLanes] = {};
  for (int i = 0; i < count; i++) lanes[i] = from[i];
  return load(lanes);
#endif
}

EARSHOT_INLINE void store_tail(float* to, Vec value, int count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), (__m512)value);
#else
  for (int i = 0; i < count; i++) to[i] = value[i];
#endif
}

// Sum of the lanes in a fixed order: halves, quarters and so on.
EARSHOT_INLINE float sum(Vec value) {
  float lanes[kLanes];
  store(lanes, value);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// hash32 of shared/runtime/random.ts (C. Wellons, "lowbias32") in every lane.
EARSHOT_INLINE UintVec hash32(UintVec x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

}  // namespace earshot::EARSHOT_ISA
