// What the files of the emulated cuDNN 9 share.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "emu.h"
#include "half.h"

namespace dnn {

enum Status {
  OK = 0,
  NOT_INITIALIZED = 1001,
  BAD_PARAM = 2000,
  NULL_POINTER = 2002,
  NOT_FINALIZED = 2004,
  MISALIGNED = 2003,
  SIZE_INSUFFICIENT = 2006,
  SHAPE_MISMATCH = 2008,
  ATTRIBUTE_TYPE = 2010,
  NOT_SUPPORTED = 3000,
  INTERNAL_ERROR = 4000,
  HOST_ALLOCATION_FAILED = 4003,
  EXECUTION_FAILED = 5000,
};

enum { FLOAT = 0, DOUBLE = 1, HALF = 2, INT8 = 3, INT32 = 4, BFLOAT16 = 9 };

struct Handle {
  void* stream = nullptr;
};

struct Tensor {
  int type = 0;
  int n = 0;  // dimensions; 0: not set
  long dims[8] = {};
  long strides[8] = {};

  bool sixteen() const { return type == HALF || type == BFLOAT16; }
  size_t element() const { return type == DOUBLE ? 8 : sixteen() ? 2 : type == INT8 ? 1 : 4; }
  long count() const {
    long c = 1;
    for (int i = 0; i < n; i++) c *= dims[i];
    return c;
  }
  size_t bytes() const {
    long last = 0;
    for (int i = 0; i < n; i++) last += (dims[i] - 1) * strides[i];
    return (last + 1) * element();
  }
  bool sameDims(const Tensor& o) const { return n == o.n && std::equal(dims, dims + n, o.dims); }
  bool sameLayout(const Tensor& o) const {
    if (!sameDims(o)) return false;
    for (int i = 0; i < n; i++)
      if (dims[i] > 1 && strides[i] != o.strides[i]) return false;
    return true;
  }
  /// Whether the elements fill their range without holes.
  bool dense() const { return long(bytes() / element()) == count(); }
  /// Whether dense with channels outermost (NCHW) or innermost (NHWC); small tensors are both.
  bool nchw() const { return packed(false); }
  bool nhwc() const { return packed(true); }
  bool packed(bool channelsLast) const;
};

struct Filter {
  int type = 0;
  int format = 0;  // 0 NCHW, 1 NHWC
  int n = 0;
  long dims[8] = {};  // K, C / groups, R, S
  Tensor tensor() const;
};

struct Activation {
  int mode = -1;
  bool propagates = false;  // NaN
  double coefficient = 0;
};

Handle* handle(void* raw);
bool check(bool condition, const char* what);
/// The descriptor behind p, set and alive.
const Tensor* tensor(void* p, const char* what);
const Filter* filter(void* p, const char* what);
const Activation* activation(void* p);
/// Whether memory of a tensor is good.
bool memory(const Tensor& t, const void* p, const char* what);
bool real(const Tensor& t);
/// The same, or half or bfloat16.
bool floating(const Tensor& t);
int submit(Handle* h, std::function<void()> run, std::vector<emu::Range> ranges);
/// A convolution's geometry; paddings are those before the first pixel.
struct Geometry {
  int pad[2], stride[2], dilation[2];
  int mode;  // 0 flips the filter
  int groups;
};
/// What a convolution gives, in single precision and in the order of y; tf32 cuts both factors.
std::vector<float> convolved(const Tensor& x, const Tensor& w, const Tensor& y, const Geometry& c,
                             bool tf32, const void* px, const void* pw);
inline emu::Range span(const Tensor& t, const void* p) { return emu::range(p, t.bytes()); }
/// alpha or beta; floats for all types but double.
bool factor(const Tensor& t, const void* p, const char* what, double* out);
bool workspace(const void* p, size_t given, size_t needed);

/// Calls f(offset into each tensor) for every index of `over`; a dimension of 1 is broadcast.
template <typename F>
void each(const Tensor& over, const Tensor& a, const Tensor& b, const Tensor& c, F f) {
  auto stride = [&](const Tensor& t, int i) { return t.dims[i] == 1 ? 0 : t.strides[i]; };
  int n = over.n;
  long index[8] = {};
  long at[3] = {};
  int last = n - 1;
  long step[3] = {stride(a, last), stride(b, last), stride(c, last)};
  for (;;) {
    long p = at[0], q = at[1], r = at[2];
    for (long i = 0; i < over.dims[last]; i++, p += step[0], q += step[1], r += step[2])
      f(p, q, r);
    int d = last - 1;
    for (; d >= 0; d--) {
      at[0] += stride(a, d);
      at[1] += stride(b, d);
      at[2] += stride(c, d);
      if (++index[d] < over.dims[d]) break;
      at[0] -= index[d] * stride(a, d);
      at[1] -= index[d] * stride(b, d);
      at[2] -= index[d] * stride(c, d);
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

/// alpha x + beta y where beta 0 does not read y.
template <typename T>
inline void blend(T* y, double alpha, double x, double beta) {
  *y = T(alpha * x + (beta == 0 ? 0 : beta * double(*y)));
}

#define DNN_API(name)                          \
  EMU_API(name, dnn::EXECUTION_FAILED);        \
  if (emuCall.unsupported()) return dnn::NOT_SUPPORTED; \
  dnn::Handle* h = dnn::handle(raw);           \
  if (h == nullptr) return dnn::NOT_INITIALIZED

/// Calls f with a T* null pointer of the tensor's type.
template <typename F>
int typed(const Tensor& t, F f) {
  if (t.type == FLOAT) return f(static_cast<float*>(nullptr));
  if (t.type == DOUBLE) return f(static_cast<double*>(nullptr));
  emu::say("type %d is not emulated", t.type);
  return NOT_SUPPORTED;
}

/// The same for half and bfloat16 as well.
template <typename F>
int typedAll(const Tensor& t, F f) {
  if (t.type == HALF) return f(static_cast<emu::Half*>(nullptr));
  if (t.type == BFLOAT16) return f(static_cast<emu::Bfloat*>(nullptr));
  return typed(t, f);
}

/// What scale factors and statistics are kept in.
template <typename T>
using Parameter = std::conditional_t<sizeof(T) == 2, float, T>;

}  // namespace dnn
