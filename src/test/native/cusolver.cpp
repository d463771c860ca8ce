// cuSolver 11: eigenvalues and eigenvectors of symmetric matrices.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "emu.h"

namespace {

enum { OK = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 2, INVALID_VALUE = 3, EXECUTION_FAILED = 6 };

struct Handle {
  void* stream = nullptr;
};

Handle* handle(void* p) {
  if (!emu::hasContext() || emu::refused() || !emu::lives(p, "cusolver handle")) return nullptr;
  auto* h = static_cast<Handle*>(p);
  return emu::stream(h->stream) ? h : nullptr;
}

bool arguments(int jobz, int uplo, int n, int lda) {
  if ((jobz == 0 || jobz == 1) && (uplo == 0 || uplo == 1) && n >= 0 && lda >= std::max(1, n))
    return true;
  emu::say("job %d, triangle %d, n %d, leading dimension %d", jobz, uplo, n, lda);
  return false;
}

int workspaceFor(int n) { return 64 + 3 * n + 2 * n * n; }

// Cyclic Jacobi in double on the named triangle.
template <typename T>
void jacobi(bool vectors, bool lower, long n, T* out, long ld, T* values) {
  std::vector<double> a(n * n), v(n * n, 0.0);
  for (long j = 0; j < n; j++)
    for (long i = j; i < n; i++) {
      double x = lower ? out[i + j * ld] : out[j + i * ld];
      a[i * n + j] = a[j * n + i] = x;
    }
  for (long i = 0; i < n; i++) v[i * n + i] = 1;
  double total = 0;
  for (double x : a) total += x * x;
  for (int sweep = 0; sweep < 60; sweep++) {
    double off = 0;
    for (long i = 0; i < n; i++)
      for (long j = 0; j < i; j++) off += a[i * n + j] * a[i * n + j];
    if (!(off > 1e-32 * total)) break;
    for (long p = 0; p < n; p++)
      for (long q = p + 1; q < n; q++) {
        double apq = a[p * n + q];
        if (apq == 0) continue;
        double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
        double t = (theta >= 0 ? 1 : -1) / (std::fabs(theta) + std::sqrt(theta * theta + 1));
        double c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (long k = 0; k < n; k++) {
          double x = a[k * n + p], y = a[k * n + q];
          a[k * n + p] = c * x - s * y;
          a[k * n + q] = s * x + c * y;
        }
        for (long k = 0; k < n; k++) {
          double x = a[p * n + k], y = a[q * n + k];
          a[p * n + k] = c * x - s * y;
          a[q * n + k] = s * x + c * y;
        }
        for (long k = 0; k < n; k++) {  // row p of v is eigenvector p
          double x = v[p * n + k], y = v[q * n + k];
          v[p * n + k] = c * x - s * y;
          v[q * n + k] = s * x + c * y;
        }
      }
  }
  std::vector<long> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](long x, long y) { return a[x * n + x] < a[y * n + y]; });
  for (long j = 0; j < n; j++) {
    values[j] = T(a[order[j] * n + order[j]]);
    for (long i = 0; i < n; i++)  // without vectors the matrix is destroyed
      out[i + j * ld] = vectors ? T(v[order[j] * n + i]) : T(NAN);
  }
}

template <typename T>
int bufferSize(void* raw, int jobz, int uplo, int n, const T* a, int lda, const T* w, int* size) {
  if (!handle(raw)) return NOT_INITIALIZED;
  if (!arguments(jobz, uplo, n, lda) || !emu::host(size, "the size")) return INVALID_VALUE;
  if (n > 0 && (!emu::device(a, ((n - 1L) * lda + n) * sizeof(T), sizeof(T), "A") ||
                !emu::device(w, n * sizeof(T), sizeof(T), "W")))
    return INVALID_VALUE;
  *size = workspaceFor(n);
  return OK;
}

template <typename T>
int syevd(void* raw, int jobz, int uplo, int n, T* a, int lda, T* w, T* work, int lwork,
          int* info) {
  Handle* h = handle(raw);
  if (!h) return NOT_INITIALIZED;
  if (!arguments(jobz, uplo, n, lda)) return INVALID_VALUE;
  if (lwork < workspaceFor(n)) {
    emu::say("workspace of %d elements, needs %d", lwork, workspaceFor(n));
    return INVALID_VALUE;
  }
  if (!emu::device(info, sizeof(int), sizeof(int), "devInfo")) return INVALID_VALUE;
  if (n == 0) return OK;
  if (!emu::device(a, ((n - 1L) * lda + n) * sizeof(T), sizeof(T), "A") ||
      !emu::device(w, n * sizeof(T), sizeof(T), "W") ||
      !emu::device(work, lwork * sizeof(T), sizeof(T), "the workspace"))
    return INVALID_VALUE;
  if (emu::capturing(h->stream)) return EXECUTION_FAILED;  // it waits for the device inside
  bool diverges = emu::Call("convergence of cusolverDnDsyevd").injected();
  bool fine = emu::enqueue(
      h->stream, {[=] {
                    emu::garbage(work, lwork * sizeof(T));
                    jacobi<T>(jobz == 1, uplo == 0, n, a, lda, w);
                    *info = diverges ? 3 : 0;
                  },
                  {emu::range(a, sizeof(T)), emu::range(w, sizeof(T)), emu::range(work, sizeof(T)),
                   emu::range(info, sizeof(int))}});
  return fine && !emu::poisoned() ? OK : EXECUTION_FAILED;
}

}  // namespace

extern "C" {

int cusolverDnCreate(void** out) {
  EMU_API(cusolverDnCreate, ALLOC_FAILED);
  if (!emu::hasContext() || emu::refused()) return NOT_INITIALIZED;
  if (emu::unsafeInCapture()) return EXECUTION_FAILED;
  *out = new Handle;
  emu::born(*out, "cusolver handle");
  return OK;
}

int cusolverDnDestroy(void* raw) {
  EMU_API(cusolverDnDestroy, EXECUTION_FAILED);
  return emu::dies(raw, "cusolver handle") ? OK : NOT_INITIALIZED;
}

int cusolverDnSetStream(void* raw, void* stream) {
  EMU_API(cusolverDnSetStream, EXECUTION_FAILED);
  if (!emu::lives(raw, "cusolver handle")) return NOT_INITIALIZED;
  if (!emu::stream(stream)) return INVALID_VALUE;
  static_cast<Handle*>(raw)->stream = stream;
  return OK;
}

int cusolverGetVersion(int* version) {
  EMU_API(cusolverGetVersion, EXECUTION_FAILED);
  *version = 11604;
  return OK;
}

int cusolverGetProperty(int type, int* value) {
  static const int version[] = {11, 6, 4};
  if (type < 0 || type > 2) return INVALID_VALUE;
  *value = version[type];
  return OK;
}

#define SYEVD(X, T)                                                                            \
  int cusolverDn##X##syevd_bufferSize(void* h, int jobz, int uplo, int n, const T* a, int lda, \
                                      const T* w, int* size) {                                 \
    EMU_API(cusolverDn##X##syevd_bufferSize, EXECUTION_FAILED);                                \
    return bufferSize<T>(h, jobz, uplo, n, a, lda, w, size);                                   \
  }                                                                                            \
  int cusolverDn##X##syevd(void* h, int jobz, int uplo, int n, T* a, int lda, T* w, T* work,   \
                           int lwork, int* info) {                                             \
    EMU_API(cusolverDn##X##syevd, EXECUTION_FAILED);                                           \
    return syevd<T>(h, jobz, uplo, n, a, lda, w, work, lwork, info);                           \
  }
SYEVD(S, float)
SYEVD(D, double)
}
