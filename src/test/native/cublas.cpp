// cuBLAS 12, column-major.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "emu.h"
#include "half.h"

namespace {

enum {
  OK = 0,
  NOT_INITIALIZED = 1,
  ALLOC_FAILED = 3,
  INVALID_VALUE = 7,
  EXECUTION_FAILED = 13,
  NOT_SUPPORTED = 15
};

struct Handle {
  void* stream = nullptr;
  int mathMode = 0;
  bool devicePointers = false;
  emu::Range workspace = {nullptr, 0, 0};  // cuBLAS's own where null
};

// The handle behind p, with its stream alive; nullptr otherwise.
Handle* handle(void* p) {
  if (!emu::hasContext() || emu::refused() || !emu::lives(p, "cublas handle")) return nullptr;
  auto* h = static_cast<Handle*>(p);
  return emu::stream(h->stream) ? h : nullptr;
}

#define BLAS_API(name)                     \
  EMU_API(name, EXECUTION_FAILED);         \
  Handle* h = handle(raw);                 \
  if (h == nullptr) return NOT_INITIALIZED

bool good(bool condition, const char* what) {
  if (!condition) emu::say("%s", what);
  return condition;
}

bool isOp(int op) { return good(op >= 0 && op <= 2, "not a transposition"); }

template <typename T>
bool matrix(const T* p, long rows, long columns, long ld, const char* what) {
  if (rows < 0 || columns < 0 || ld < std::max(1L, rows)) {
    emu::say("%s: %ld x %ld with leading dimension %ld", what, rows, columns, ld);
    return false;
  }
  if (rows == 0 || columns == 0) return true;
  return emu::device(p, ((columns - 1) * ld + rows) * sizeof(T), sizeof(T), what);
}

template <typename T>
bool vector(const T* p, long n, long inc, const char* what) {
  if (inc == 0) {
    emu::say("%s: increment 0", what);
    return false;
  }
  if (n <= 0) return true;
  return emu::device(p, ((n - 1) * std::labs(inc) + 1) * sizeof(T), sizeof(T), what);
}

template <typename T>
emu::Range span(const T* p, long rows, long columns, long ld) {
  return emu::range(p, ((columns - 1) * ld + rows) * sizeof(T));
}

// A scalar, read when the work is enqueued (host) or when it runs (device).
template <typename T>
struct Scalar {
  const T* p;
  T value;
  T get() const { return p ? *p : value; }
};

template <typename T>
bool scalar(const Handle* h, const T* p, const char* what, Scalar<T>* out) {
  if (h->devicePointers) {
    *out = {p, T(0)};
    return emu::device(p, sizeof(T), sizeof(T), what);
  }
  if (!emu::host(p, what)) return false;
  *out = {nullptr, *p};
  return true;
}

int submit(Handle* h, emu::Task task) {
  if (h->workspace.p != nullptr) {
    task.ranges.push_back(h->workspace);
  } else if (emu::stream(h->stream)->capture) {
    emu::count("graph memory nodes", 1);  // for a workspace of this call's own
  }
  return emu::enqueue(h->stream, std::move(task)) && !emu::poisoned() ? OK : EXECUTION_FAILED;
}

template <typename T>
T* from(T* p, long n, long inc) {
  return inc < 0 ? p + (n - 1) * -inc : p;
}

template <typename T>
int gemm(Handle* h, int ta, int tb, int m, int n, int k, const T* alpha, const T* a, int lda,
         const T* b, int ldb, const T* beta, T* c, int ldc) {
  if (!isOp(ta) || !isOp(tb) || !good(m >= 0 && n >= 0 && k >= 0, "negative size"))
    return INVALID_VALUE;
  Scalar<T> x, y;
  if (!scalar(h, alpha, "alpha", &x) || !scalar(h, beta, "beta", &y)) return INVALID_VALUE;
  if (!matrix(a, ta ? k : m, ta ? m : k, lda, "A") || !matrix(b, tb ? n : k, tb ? k : n, ldb, "B") ||
      !matrix(c, m, n, ldc, "C"))
    return INVALID_VALUE;
  if (m == 0 || n == 0) return OK;
  emu::Task task;
  if (k > 0)
    task.ranges = {span(a, ta ? k : m, ta ? m : k, lda), span(b, tb ? n : k, tb ? k : n, ldb)};
  task.ranges.push_back(span(c, m, n, ldc));
  task.run = [=] {
    emu::gemm<T>(m, n, k, x.get(), a, ta ? lda : 1, ta ? 1 : lda, b, tb ? ldb : 1, tb ? 1 : ldb,
                 y.get(), c, 1, ldc);
  };
  return submit(h, std::move(task));
}

// Inputs of type T, rounded by `read`; computed with as float; stored as C. alpha and beta are float.
template <typename T, typename C, typename R>
int gemmEx(Handle* h, int ta, int tb, int m, int n, int k, const float* alpha, const T* a, int lda,
           const T* b, int ldb, const float* beta, C* c, int ldc, R read) {
  if (!isOp(ta) || !isOp(tb) || !good(m >= 0 && n >= 0 && k >= 0, "negative size"))
    return INVALID_VALUE;
  Scalar<float> x, y;
  if (!scalar(h, alpha, "alpha", &x) || !scalar(h, beta, "beta", &y)) return INVALID_VALUE;
  long ca = ta ? m : k, cb = tb ? k : n;
  if (!matrix(a, ta ? k : m, ca, lda, "A") || !matrix(b, tb ? n : k, cb, ldb, "B") ||
      !matrix(c, m, n, ldc, "C"))
    return INVALID_VALUE;
  if (m == 0 || n == 0) return OK;
  emu::Task task;
  if (k > 0) task.ranges = {span(a, ta ? k : m, ca, lda), span(b, tb ? n : k, cb, ldb)};
  task.ranges.push_back(span(c, m, n, ldc));
  task.run = [=] {
    auto floats = [&](const T* p, long rows, long columns, long ld) {
      std::vector<float> out(ld * columns);
      for (long j = 0; j < columns; j++)
        for (long i = 0; i < rows; i++) out[i + j * ld] = read(p[i + j * ld]);
      return out;
    };
    auto fa = floats(a, ta ? k : m, ca, lda), fb = floats(b, tb ? n : k, cb, ldb);
    std::vector<float> fc(size_t(m) * n);
    emu::gemm<float>(m, n, k, x.get(), fa.data(), ta ? lda : 1, ta ? 1 : lda, fb.data(),
                     tb ? ldb : 1, tb ? 1 : ldb, 0, fc.data(), 1, m);
    for (long j = 0; j < n; j++)
      for (long i = 0; i < m; i++) {
        C* to = c + i + j * long(ldc);
        *to = C(fc[i + j * m] + (y.get() == 0 ? 0 : y.get() * float(*to)));
      }
  };
  return submit(h, std::move(task));
}

template <typename T>
int syrk(Handle* h, int uplo, int t, int n, int k, const T* alpha, const T* a, int lda,
         const T* beta, T* c, int ldc) {
  if (!isOp(t) || !good(uplo == 0 || uplo == 1, "not a triangle") ||
      !good(n >= 0 && k >= 0, "negative size"))
    return INVALID_VALUE;
  Scalar<T> x, y;
  if (!scalar(h, alpha, "alpha", &x) || !scalar(h, beta, "beta", &y)) return INVALID_VALUE;
  if (!matrix(a, t ? k : n, t ? n : k, lda, "A") || !matrix(c, n, n, ldc, "C"))
    return INVALID_VALUE;
  if (n == 0) return OK;
  emu::Task task;
  if (k > 0) task.ranges = {span(a, t ? k : n, t ? n : k, lda)};
  task.ranges.push_back(span(c, n, n, ldc));
  task.run = [=] {
    long rs = t ? lda : 1, cs = t ? 1 : lda;
    const long step = 96;
    std::vector<T> diagonal(step * step);
    for (long j = 0; j < n; j += step) {
      long w = std::min(step, n - j);
      for (long q = 0; q < w; q++)
        for (long p = 0; p < w; p++) diagonal[p + q * w] = c[j + p + (j + q) * ldc];
      emu::gemm<T>(w, w, k, x.get(), a + j * rs, rs, cs, a + j * rs, cs, rs, y.get(),
                   diagonal.data(), 1, w);
      for (long q = 0; q < w; q++)
        for (long p = uplo == 0 ? q : 0; p < (uplo == 0 ? w : q + 1); p++)
          c[j + p + (j + q) * ldc] = diagonal[p + q * w];
      long i = uplo == 0 ? j + w : 0, height = uplo == 0 ? n - j - w : j;
      emu::gemm<T>(height, w, k, x.get(), a + i * rs, rs, cs, a + j * rs, cs, rs, y.get(),
                   c + i + j * ldc, 1, ldc);
    }
  };
  return submit(h, std::move(task));
}

template <typename T>
int gemv(Handle* h, int t, int m, int n, const T* alpha, const T* a, int lda, const T* v, int incv,
         const T* beta, T* w, int incw) {
  if (!isOp(t) || !good(m >= 0 && n >= 0, "negative size")) return INVALID_VALUE;
  Scalar<T> x, y;
  if (!scalar(h, alpha, "alpha", &x) || !scalar(h, beta, "beta", &y)) return INVALID_VALUE;
  long in = t ? m : n, out = t ? n : m;
  if (!matrix(a, m, n, lda, "A") || !vector(v, in, incv, "x") || !vector(w, out, incw, "y"))
    return INVALID_VALUE;
  if (m == 0 || n == 0) return OK;
  return submit(h, {[=] {
                      emu::gemm<T>(out, 1, in, x.get(), a, t ? lda : 1, t ? 1 : lda,
                                   from(v, in, incv), incv, 1, y.get(), from(w, out, incw), incw,
                                   1);
                    },
                    {span(a, m, n, lda), emu::range(v, sizeof(T)), emu::range(w, sizeof(T))}});
}

template <typename T>
int ger(Handle* h, int m, int n, const T* alpha, const T* v, int incv, const T* w, int incw, T* a,
        int lda) {
  if (!good(m >= 0 && n >= 0, "negative size")) return INVALID_VALUE;
  Scalar<T> x;
  if (!scalar(h, alpha, "alpha", &x)) return INVALID_VALUE;
  if (!matrix(a, m, n, lda, "A") || !vector(v, m, incv, "x") || !vector(w, n, incw, "y"))
    return INVALID_VALUE;
  if (m == 0 || n == 0) return OK;
  return submit(h, {[=] {
                      const T *p = from(v, m, incv), *q = from(w, n, incw);
                      T s = x.get();
                      for (long j = 0; j < n; j++)
                        for (long i = 0; i < m; i++)
                          a[i + j * lda] += s * p[i * incv] * q[j * incw];
                    },
                    {span(a, m, n, lda), emu::range(v, sizeof(T)), emu::range(w, sizeof(T))}});
}

// A result goes to the device without waiting, or to the host after waiting.
template <typename T, typename F>
int reduce(Handle* h, T* result, F value, std::vector<emu::Range> ranges) {
  if (h->devicePointers) {
    if (!emu::device(result, sizeof(T), sizeof(T), "the result")) return INVALID_VALUE;
    ranges.push_back(emu::range(result, sizeof(T)));
    return submit(h, {[=] { *result = value(); }, ranges});
  }
  if (!emu::host(result, "the result")) return INVALID_VALUE;
  if (emu::capturing(h->stream)) return EXECUTION_FAILED;
  emu::count("synchronisations", 1);
  int status = submit(h, {[=] { *result = value(); }, ranges});
  emu::drain(emu::stream(h->stream));
  return status;
}

template <typename T>
int dot(Handle* h, int n, const T* v, int incv, const T* w, int incw, T* result) {
  if (!vector(v, n, incv, "x") || !vector(w, n, incw, "y")) return INVALID_VALUE;
  auto value = [=] {
    double sum = 0;
    const T *p = from(v, n, incv), *q = from(w, n, incw);
    for (long i = 0; i < n; i++) sum += double(p[i * incv]) * double(q[i * incw]);
    return T(sum);
  };
  if (n <= 0) return reduce<T>(h, result, [] { return T(0); }, {});
  return reduce<T>(h, result, value, {emu::range(v, sizeof(T)), emu::range(w, sizeof(T))});
}

template <typename T>
int norm(Handle* h, int n, const T* v, int inc, T* result) {
  if (!vector(v, n, inc, "x")) return INVALID_VALUE;
  if (n <= 0) return reduce<T>(h, result, [] { return T(0); }, {});
  return reduce<T>(
      h, result,
      [=] {
        double sum = 0;
        for (long i = 0; i < n; i++) sum += double(v[i * inc]) * double(v[i * inc]);
        return T(std::sqrt(sum));
      },
      {emu::range(v, sizeof(T))});
}

template <typename T>
int axpy(Handle* h, int n, const T* alpha, const T* v, int incv, T* w, int incw) {
  Scalar<T> x;
  if (!scalar(h, alpha, "alpha", &x)) return INVALID_VALUE;
  if (!vector(v, n, incv, "x") || !vector(w, n, incw, "y")) return INVALID_VALUE;
  if (n <= 0) return OK;
  return submit(h, {[=] {
                      const T* p = from(v, n, incv);
                      T *q = from(w, n, incw), s = x.get();
                      for (long i = 0; i < n; i++) q[i * incw] += s * p[i * incv];
                    },
                    {emu::range(v, sizeof(T)), emu::range(w, sizeof(T))}});
}

template <typename T>
int scal(Handle* h, int n, const T* alpha, T* v, int inc) {
  Scalar<T> x;
  if (!scalar(h, alpha, "alpha", &x) || !vector(v, n, inc, "x")) return INVALID_VALUE;
  if (n <= 0) return OK;
  return submit(h, {[=] {
                      T s = x.get();
                      for (long i = 0; i < n; i++) v[i * inc] *= s;
                    },
                    {emu::range(v, sizeof(T))}});
}

template <typename T>
int copy(Handle* h, int n, const T* v, int incv, T* w, int incw) {
  if (!vector(v, n, incv, "x") || !vector(w, n, incw, "y")) return INVALID_VALUE;
  if (n <= 0) return OK;
  return submit(h, {[=] {
                      const T* p = from(v, n, incv);
                      T* q = from(w, n, incw);
                      for (long i = 0; i < n; i++) q[i * incw] = p[i * incv];
                    },
                    {emu::range(v, sizeof(T)), emu::range(w, sizeof(T))}});
}

template <typename T>
int geam(Handle* h, int ta, int tb, int m, int n, const T* alpha, const T* a, int lda,
         const T* beta, const T* b, int ldb, T* c, int ldc) {
  if (!isOp(ta) || !isOp(tb) || !good(m >= 0 && n >= 0, "negative size")) return INVALID_VALUE;
  Scalar<T> x, y;
  if (!scalar(h, alpha, "alpha", &x) || !scalar(h, beta, "beta", &y)) return INVALID_VALUE;
  // with a host scalar of 0 the matrix may be missing
  bool useA = h->devicePointers || x.value != T(0), useB = h->devicePointers || y.value != T(0);
  if ((useA && !matrix(a, ta ? n : m, ta ? m : n, lda, "A")) ||
      (useB && !matrix(b, tb ? n : m, tb ? m : n, ldb, "B")) || !matrix(c, m, n, ldc, "C"))
    return INVALID_VALUE;
  if ((useA && c == a && (ta || lda != ldc)) || (useB && c == b && (tb || ldb != ldc))) {
    emu::say("C is also an input, but transposed or with another leading dimension");
    return INVALID_VALUE;
  }
  if (m == 0 || n == 0) return OK;
  emu::Task task;
  task.ranges = {span(c, m, n, ldc)};
  if (useA) task.ranges.push_back(emu::range(a, sizeof(T)));
  if (useB) task.ranges.push_back(emu::range(b, sizeof(T)));
  task.run = [=] {
    T s = x.get(), r = y.get();
    for (long j = 0; j < n; j++)
      for (long i = 0; i < m; i++) {
        T sum = 0;
        if (s != T(0)) sum += s * (ta ? a[j + i * lda] : a[i + j * lda]);
        if (r != T(0)) sum += r * (tb ? b[j + i * ldb] : b[i + j * ldb]);
        c[i + j * ldc] = sum;
      }
  };
  return submit(h, std::move(task));
}

}  // namespace

extern "C" {

int cublasCreate_v2(void** out) {
  EMU_API(cublasCreate, ALLOC_FAILED);
  if (!emu::hasContext() || emu::refused()) return NOT_INITIALIZED;
  if (emu::unsafeInCapture()) return EXECUTION_FAILED;
  *out = new Handle;
  emu::born(*out, "cublas handle");
  return OK;
}

int cublasDestroy_v2(void* raw) {
  EMU_API(cublasDestroy, EXECUTION_FAILED);
  return emu::dies(raw, "cublas handle") ? OK : NOT_INITIALIZED;
}

int cublasGetVersion_v2(void* raw, int* version) {
  EMU_API(cublasGetVersion, EXECUTION_FAILED);
  if (raw && !emu::lives(raw, "cublas handle")) return NOT_INITIALIZED;
  *version = 120601;
  return OK;
}

int cublasGetProperty(int type, int* value) {
  static const int version[] = {12, 6, 1};
  if (type < 0 || type > 2) return INVALID_VALUE;
  *value = version[type];
  return OK;
}

size_t cublasGetCudartVersion() { return 12060; }

int cublasSetStream_v2(void* raw, void* stream) {
  EMU_API(cublasSetStream, EXECUTION_FAILED);
  if (!emu::lives(raw, "cublas handle")) return NOT_INITIALIZED;
  if (!emu::stream(stream)) return INVALID_VALUE;
  static_cast<Handle*>(raw)->stream = stream;
  static_cast<Handle*>(raw)->workspace = {nullptr, 0, 0};
  return OK;
}

int cublasGetStream_v2(void* raw, void** stream) {
  BLAS_API(cublasGetStream);
  *stream = h->stream;
  return OK;
}

int cublasSetMathMode(void* raw, int mode) {
  BLAS_API(cublasSetMathMode);
  int base = mode & ~16;  // 16: no reduced precision in reductions
  if (base != 0 && base != 1 && base != 2 && base != 3) {
    emu::say("math mode %d", mode);
    return INVALID_VALUE;
  }
  h->mathMode = mode;
  return OK;
}

int cublasGetMathMode(void* raw, int* mode) {
  BLAS_API(cublasGetMathMode);
  *mode = h->mathMode;
  return OK;
}

int cublasSetAtomicsMode(void* raw, int) {
  BLAS_API(cublasSetAtomicsMode);
  return OK;
}

int cublasSetWorkspace_v2(void* raw, void* workspace, size_t bytes) {
  BLAS_API(cublasSetWorkspace);
  if (bytes > 0 && !emu::device(workspace, bytes, 256, "the workspace")) return INVALID_VALUE;
  h->workspace = bytes > 0 ? emu::range(workspace, bytes) : emu::Range{nullptr, 0, 0};
  return OK;
}

int cublasSetPointerMode_v2(void* raw, int mode) {
  BLAS_API(cublasSetPointerMode);
  if (mode != 0 && mode != 1) return INVALID_VALUE;
  h->devicePointers = mode == 1;
  return OK;
}

int cublasGetPointerMode_v2(void* raw, int* mode) {
  BLAS_API(cublasGetPointerMode);
  *mode = h->devicePointers;
  return OK;
}

const char* cublasGetStatusName(int status) {
  switch (status) {
    case OK: return "CUBLAS_STATUS_SUCCESS";
    case NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
    case INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "CUBLAS_STATUS_INTERNAL_ERROR";
  }
}
const char* cublasGetStatusString(int status) { return cublasGetStatusName(status); }

#define BOTH(S, D, body)         \
  body(S, float) body(D, double)

#define GEMM(X, T)                                                                               \
  int cublas##X##gemm_v2(void* raw, int ta, int tb, int m, int n, int k, const T* alpha,         \
                         const T* a, int lda, const T* b, int ldb, const T* beta, T* c, int ldc) { \
    BLAS_API(cublas##X##gemm);                                                                   \
    return gemm<T>(h, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);                     \
  }
BOTH(S, D, GEMM)

#define SYRK(X, T)                                                                            \
  int cublas##X##syrk_v2(void* raw, int uplo, int t, int n, int k, const T* alpha, const T* a, \
                         int lda, const T* beta, T* c, int ldc) {                             \
    BLAS_API(cublas##X##syrk);                                                                \
    return syrk<T>(h, uplo, t, n, k, alpha, a, lda, beta, c, ldc);                            \
  }
BOTH(S, D, SYRK)

#define GEMV(X, T)                                                                           \
  int cublas##X##gemv_v2(void* raw, int t, int m, int n, const T* alpha, const T* a, int lda, \
                         const T* x, int incx, const T* beta, T* y, int incy) {              \
    BLAS_API(cublas##X##gemv);                                                               \
    return gemv<T>(h, t, m, n, alpha, a, lda, x, incx, beta, y, incy);                       \
  }
BOTH(S, D, GEMV)

#define GER(X, T)                                                                              \
  int cublas##X##ger_v2(void* raw, int m, int n, const T* alpha, const T* x, int incx, const T* y, \
                        int incy, T* a, int lda) {                                             \
    BLAS_API(cublas##X##ger);                                                                  \
    return ger<T>(h, m, n, alpha, x, incx, y, incy, a, lda);                                   \
  }
BOTH(S, D, GER)

#define VECTORS(X, T)                                                                            \
  int cublas##X##dot_v2(void* raw, int n, const T* x, int incx, const T* y, int incy, T* out) {  \
    BLAS_API(cublas##X##dot);                                                                    \
    return dot<T>(h, n, x, incx, y, incy, out);                                                  \
  }                                                                                              \
  int cublas##X##nrm2_v2(void* raw, int n, const T* x, int incx, T* out) {                       \
    BLAS_API(cublas##X##nrm2);                                                                   \
    return norm<T>(h, n, x, incx, out);                                                          \
  }                                                                                              \
  int cublas##X##axpy_v2(void* raw, int n, const T* alpha, const T* x, int incx, T* y, int incy) { \
    BLAS_API(cublas##X##axpy);                                                                   \
    return axpy<T>(h, n, alpha, x, incx, y, incy);                                               \
  }                                                                                              \
  int cublas##X##scal_v2(void* raw, int n, const T* alpha, T* x, int incx) {                     \
    BLAS_API(cublas##X##scal);                                                                   \
    return scal<T>(h, n, alpha, x, incx);                                                        \
  }                                                                                              \
  int cublas##X##copy_v2(void* raw, int n, const T* x, int incx, T* y, int incy) {               \
    BLAS_API(cublas##X##copy);                                                                   \
    return copy<T>(h, n, x, incx, y, incy);                                                      \
  }                                                                                              \
  int cublas##X##geam(void* raw, int ta, int tb, int m, int n, const T* alpha, const T* a,       \
                      int lda, const T* beta, const T* b, int ldb, T* c, int ldc) {              \
    BLAS_API(cublas##X##geam);                                                                   \
    return geam<T>(h, ta, tb, m, n, alpha, a, lda, beta, b, ldb, c, ldc);                        \
  }
BOTH(S, D, VECTORS)

int cublasGemmEx(void* raw, int ta, int tb, int m, int n, int k, const void* alpha, const void* a,
                 int typeA, int lda, const void* b, int typeB, int ldb, const void* beta, void* c,
                 int typeC, int ldc, int compute, int) {
  BLAS_API(cublasGemmEx);
  auto* s = static_cast<const float*>(alpha);
  auto* u = static_cast<const float*>(beta);
  auto exact = [](auto v) { return float(v); };
  if (typeA == 0 && typeB == 0 && typeC == 0 && compute == 77)
    return gemmEx(h, ta, tb, m, n, k, s, static_cast<const float*>(a), lda,
                  static_cast<const float*>(b), ldb, u, static_cast<float*>(c), ldc, emu::toTf32);
  if (typeA == typeB && (typeC == 0 || typeC == typeA) && compute == 68) {
    if (typeA == 2 || typeA == 14) {
      auto call = [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        auto *pa = static_cast<const T*>(a), *pb = static_cast<const T*>(b);
        if (typeC == 0)
          return gemmEx(h, ta, tb, m, n, k, s, pa, lda, pb, ldb, u, static_cast<float*>(c), ldc,
                        exact);
        return gemmEx(h, ta, tb, m, n, k, s, pa, lda, pb, ldb, u, static_cast<T*>(c), ldc, exact);
      };
      if (typeA == 2) return call(static_cast<emu::Half*>(nullptr));
      return call(static_cast<emu::Bfloat*>(nullptr));
    }
  }
  bool single = compute == 68 || compute == 69 || compute == 74 || compute == 75 || compute == 77;
  if (typeA == 0 && typeB == 0 && typeC == 0 && single)
    return gemm<float>(h, ta, tb, m, n, k, static_cast<const float*>(alpha),
                       static_cast<const float*>(a), lda, static_cast<const float*>(b), ldb,
                       static_cast<const float*>(beta), static_cast<float*>(c), ldc);
  if (typeA == 1 && typeB == 1 && typeC == 1 && (compute == 70 || compute == 71))
    return gemm<double>(h, ta, tb, m, n, k, static_cast<const double*>(alpha),
                        static_cast<const double*>(a), lda, static_cast<const double*>(b), ldb,
                        static_cast<const double*>(beta), static_cast<double*>(c), ldc);
  emu::say("types %d, %d, %d with compute type %d are not emulated", typeA, typeB, typeC, compute);
  return NOT_SUPPORTED;
}
}
