// Lets g++ compile kernels/*.cu for the host: CUDA's words, as far as our kernels use them.
#pragma once
#include <stdint.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>

#include "emu.h"
#include "fibers.h"
#include "half.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __shared__ static
#define __forceinline__ inline
#define __noinline__
#define __restrict__ __restrict
#define __launch_bounds__(...)

typedef emu_uint3 uint3;
struct dim3 {
  unsigned x, y, z;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(4) uchar4 {
  unsigned char x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

static const int warpSize = 32;

using std::isinf;
using std::isnan;
template <typename A, typename B>
inline typename std::common_type<A, B>::type min(A a, B b) {
  typedef typename std::common_type<A, B>::type T;
  return T(a) < T(b) ? T(a) : T(b);
}
template <typename A, typename B>
inline typename std::common_type<A, B>::type max(A a, B b) {
  typedef typename std::common_type<A, B>::type T;
  return T(a) > T(b) ? T(a) : T(b);
}
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
#define __expf expf
#define __logf logf
#define __powf powf
#define __fsqrt_rn sqrtf
#define __fmaf_rn fmaf
inline float __fdividef(float a, float b) { return a / b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float __saturatef(float x) { return fminf(1.0f, fmaxf(0.0f, x)); }
template <typename To, typename From>
inline To emu_bits(From x) {
  static_assert(sizeof(To) == sizeof(From), "sizes");
  To to;
  memcpy(&to, &x, sizeof to);
  return to;
}
inline int __float_as_int(float x) { return emu_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
inline float __int_as_float(int x) { return emu_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emu_bits<float>(x); }
inline long long __double_as_longlong(double x) { return emu_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return emu_bits<double>(x); }
inline float common_from_f16(unsigned short bits) { return emu::fromHalf(bits); }
inline unsigned short common_to_f16(float v) { return emu::toHalf(v); }
inline int __float2int_rn(float x) { return (int)rintf(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t(a) * b) >> 32; }

template <typename T>
inline T __ldg(const T* p) {
  return *p;
}
template <typename T, typename U>
inline T atomicAdd(T* p, U x) {
  T old = *p;
  *p = T(old + x);
  return old;
}
template <typename T, typename U>
inline T atomicSub(T* p, U x) {
  T old = *p;
  *p = T(old - x);
  return old;
}
template <typename T, typename U>
inline T atomicMax(T* p, U x) {
  T old = *p;
  if (T(x) > old) *p = T(x);
  return old;
}
template <typename T, typename U>
inline T atomicMin(T* p, U x) {
  T old = *p;
  if (T(x) < old) *p = T(x);
  return old;
}
template <typename T, typename U>
inline T atomicExch(T* p, U x) {
  T old = *p;
  *p = T(x);
  return old;
}
template <typename T, typename U, typename V>
inline T atomicCAS(T* p, U expected, V x) {
  T old = *p;
  if (old == T(expected)) *p = T(x);
  return old;
}

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __syncthreads() { emu::blockBarrier(); }
inline void __syncwarp(unsigned = ~0u) { emu::warpBarrier(); }
inline int __syncthreads_count(int predicate) {
  static int sum;
  emu::blockBarrier();
  sum = 0;
  emu::blockBarrier();
  sum += predicate != 0;
  emu::blockBarrier();
  return sum;
}
inline int __syncthreads_or(int predicate) { return __syncthreads_count(predicate) > 0; }

template <typename T>
inline T emu_exchange(T mine, int from) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  auto* slots = static_cast<char*>(emu::warpSlots());
  memcpy(slots + (emu::lane() % 32) * 8, &mine, sizeof mine);
  emu::warpBarrier();
  T got = mine;
  if (from >= 0 && from < 32) memcpy(&got, slots + from * 8, sizeof got);
  emu::warpBarrier();
  return got;
}
template <typename T>
inline T __shfl_sync(unsigned, T v, int source, int width = 32) {
  int lane = emu::lane() % 32;
  return emu_exchange(v, lane / width * width + (source & (width - 1)));
}
template <typename T>
inline T __shfl_down_sync(unsigned, T v, unsigned delta, int width = 32) {
  int lane = emu::lane() % 32;
  int from = lane + int(delta);
  return emu_exchange(v, from < (lane / width + 1) * width ? from : lane);
}
template <typename T>
inline T __shfl_up_sync(unsigned, T v, unsigned delta, int width = 32) {
  int lane = emu::lane() % 32;
  int from = lane - int(delta);
  return emu_exchange(v, from >= lane / width * width ? from : lane);
}
template <typename T>
inline T __shfl_xor_sync(unsigned, T v, int mask, int width = 32) {
  int lane = emu::lane() % 32;
  int from = lane ^ mask;
  return emu_exchange(v, from < (lane / width + 1) * width ? from : lane);
}
inline unsigned __activemask() { return emu::warpActive(); }
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  auto* slots = static_cast<char*>(emu::warpSlots());
  unsigned lane = emu::lane() % 32;
  int value = predicate != 0;
  memcpy(slots + lane * 8, &value, sizeof value);
  emu::warpBarrier();
  unsigned bits = 0;
  for (int i = 0; i < 32; i++) {
    int other;
    memcpy(&other, slots + i * 8, sizeof other);
    if (other && (mask & emu::warpActive()) >> i & 1) bits |= 1u << i;
  }
  emu::warpBarrier();
  return bits;
}
inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
inline int __all_sync(unsigned mask, int p) {
  return __ballot_sync(mask, p) == (mask & emu::warpActive());
}

// ---- the registry -------------------------------------------------------------------------------

namespace emu {
template <typename T>
struct Pointee {
  static constexpr size_t align = 0;
};
template <typename T>
struct Pointee<T*> {
  static constexpr size_t align = alignof(T);
};
template <>
struct Pointee<void*> {
  static constexpr size_t align = 1;
};
template <>
struct Pointee<const void*> {
  static constexpr size_t align = 1;
};

template <auto F>
struct Registered;
template <typename... A, void (*F)(A...)>
struct Registered<F> {
  template <size_t... I>
  static void apply(void** args, std::index_sequence<I...>) {
    F(*static_cast<A*>(args[I])...);
  }
  static void call(void** args) { apply(args, std::index_sequence_for<A...>{}); }
  explicit Registered(const char* name) {
    kernels()[name] = HostKernel{{sizeof(A)...}, {Pointee<A>::align...}, &call};
  }
};
}  // namespace emu
#define EMU_KERNEL(name) static const emu::Registered<&name> emu_registered_##name(#name)
