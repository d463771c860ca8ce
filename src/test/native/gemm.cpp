// Matrix product with packing and a register tile; AVX2 where the processor has it.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "emu.h"

namespace emu {
namespace {

constexpr long MR = 6;

template <typename T>
struct Tile {
  typedef T V __attribute__((vector_size(32), may_alias));
  static constexpr long L = 32 / sizeof(T);
  static constexpr long NR = 2 * L;
};

// acc (MR x NR) += sum over k of a (k x MR) b (k x NR), one after the other: zeros change nothing
template <typename T>
__attribute__((always_inline)) inline void micro(long k, const T* a, const T* b, T* acc) {
  typedef typename Tile<T>::V V;
  V c[MR][2];
  for (long i = 0; i < MR; i++) {
    c[i][0] = *reinterpret_cast<V*>(acc + i * Tile<T>::NR);
    c[i][1] = *reinterpret_cast<V*>(acc + i * Tile<T>::NR + Tile<T>::L);
  }
  for (long p = 0; p < k; p++) {
    V b0 = *reinterpret_cast<const V*>(b);
    V b1 = *reinterpret_cast<const V*>(b + Tile<T>::L);
    for (long i = 0; i < MR; i++) {
      V x = V{} + a[i];
      c[i][0] += x * b0;
      c[i][1] += x * b1;
    }
    a += MR;
    b += Tile<T>::NR;
  }
  for (long i = 0; i < MR; i++) {
    *reinterpret_cast<V*>(acc + i * Tile<T>::NR) = c[i][0];
    *reinterpret_cast<V*>(acc + i * Tile<T>::NR + Tile<T>::L) = c[i][1];
  }
}

template <typename T>
void microPlain(long k, const T* a, const T* b, T* acc) {
  micro<T>(k, a, b, acc);
}
__attribute__((target("avx2,fma"))) void microAvx2(long k, const float* a, const float* b,
                                                   float* acc) {
  micro<float>(k, a, b, acc);
}
__attribute__((target("avx2,fma"))) void microAvx2(long k, const double* a, const double* b,
                                                   double* acc) {
  micro<double>(k, a, b, acc);
}

template <typename T>
struct Space {
  T* p = nullptr;
  size_t n = 0;
  T* need(size_t want) {
    if (want > n) {
      free(p);
      void* q = nullptr;
      if (posix_memalign(&q, 64, want * sizeof(T)) != 0) abort();
      p = static_cast<T*>(q);
      n = want;
    }
    return p;
  }
  ~Space() { free(p); }
};

}  // namespace

template <typename T>
void gemm(long m, long n, long k, T alpha, const T* a, long rsa, long csa, const T* b, long rsb,
          long csb, T beta, T* c, long rsc, long csc) {
  if (m <= 0 || n <= 0) return;
  if (rsc == 1 && csc != 1) {  // keep rows of the tile contiguous
    gemm<T>(n, m, k, alpha, b, csb, rsb, a, csa, rsa, beta, c, csc, rsc);
    return;
  }
  if (beta != T(1))
    for (long i = 0; i < m; i++)
      for (long j = 0; j < n; j++) {
        T& x = c[i * rsc + j * csc];
        x = beta == T(0) ? T(0) : beta * x;
      }
  if (alpha == T(0) || k <= 0) return;
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  constexpr long NR = Tile<T>::NR, KC = 256, MC = 96, NC = 2048;
  static thread_local Space<T> packA, packB;
  T* pa = packA.need(size_t(MC + MR) * KC);
  T* pb = packB.need(size_t(NC + NR) * KC);
  alignas(64) T acc[MR * NR];
  const bool goesOn = alpha == T(1);  // c is the sum so far
  for (long jc = 0; jc < n; jc += NC) {
    long nc = std::min(NC, n - jc);
    for (long pc = 0; pc < k; pc += KC) {
      long kc = std::min(KC, k - pc);
      for (long j = 0; j < nc; j += NR) {
        T* to = pb + j * kc;
        long w = std::min(NR, nc - j);
        const T* from = b + pc * rsb + (jc + j) * csb;
        if (csb == 1) {
          for (long p = 0; p < kc; p++) {
            for (long x = 0; x < w; x++) to[p * NR + x] = from[p * rsb + x];
            for (long x = w; x < NR; x++) to[p * NR + x] = 0;
          }
        } else {
          for (long x = 0; x < w; x++)
            for (long p = 0; p < kc; p++) to[p * NR + x] = from[p * rsb + x * csb];
          for (long x = w; x < NR; x++)
            for (long p = 0; p < kc; p++) to[p * NR + x] = 0;
        }
      }
      for (long ic = 0; ic < m; ic += MC) {
        long mc = std::min(MC, m - ic);
        for (long i = 0; i < mc; i += MR) {
          T* to = pa + i * kc;
          long h = std::min(MR, mc - i);
          const T* from = a + (ic + i) * rsa + pc * csa;
          for (long y = 0; y < h; y++)
            for (long p = 0; p < kc; p++) to[p * MR + y] = from[y * rsa + p * csa];
          for (long y = h; y < MR; y++)
            for (long p = 0; p < kc; p++) to[p * MR + y] = 0;
        }
        for (long j = 0; j < nc; j += NR)
          for (long i = 0; i < mc; i += MR) {
            long h = std::min(MR, mc - i), w = std::min(NR, nc - j);
            T* to = c + (ic + i) * rsc + (jc + j) * csc;
            std::fill(acc, acc + MR * NR, T(0));
            if (goesOn)
              for (long y = 0; y < h; y++)
                for (long x = 0; x < w; x++) acc[y * NR + x] = to[y * rsc + x * csc];
            if (avx2)
              microAvx2(kc, pa + i * kc, pb + j * kc, acc);
            else
              microPlain<T>(kc, pa + i * kc, pb + j * kc, acc);
            for (long y = 0; y < h; y++)
              for (long x = 0; x < w; x++) {
                T& sum = to[y * rsc + x * csc];
                sum = goesOn ? acc[y * NR + x] : sum + alpha * acc[y * NR + x];
              }
          }
      }
    }
  }
}

template void gemm<float>(long, long, long, float, const float*, long, long, const float*, long,
                          long, float, float*, long, long);
template void gemm<double>(long, long, long, double, const double*, long, long, const double*,
                           long, long, double, double*, long, long);

}  // namespace emu
