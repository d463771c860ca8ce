// cuDNN 9: handles and descriptors.
#include "cudnn.h"

namespace dnn {

bool Tensor::packed(bool channelsLast) const {
  long expect = 1;
  auto fits = [&](int i) {
    bool good = dims[i] == 1 || strides[i] == expect;
    expect *= dims[i];
    return good;
  };
  if (channelsLast && !fits(1)) return false;
  for (int i = n - 1; i >= (channelsLast ? 2 : 0); i--)
    if (!fits(i)) return false;
  return !channelsLast || fits(0);
}

Tensor Filter::tensor() const {
  Tensor t;
  t.type = type;
  t.n = n;
  std::copy(dims, dims + 8, t.dims);
  long stride = 1;
  if (format == 1) {
    t.strides[1] = 1;
    stride = dims[1];
  }
  for (int i = n - 1; i >= (format == 1 ? 2 : 0); i--) {
    t.strides[i] = stride;
    stride *= dims[i];
  }
  if (format == 1) t.strides[0] = stride;
  return t;
}

Handle* handle(void* raw) {
  if (!emu::hasContext() || emu::refused() || !emu::lives(raw, "cudnn handle")) return nullptr;
  auto* h = static_cast<Handle*>(raw);
  return emu::stream(h->stream) ? h : nullptr;
}

bool check(bool condition, const char* what) {
  if (!condition) emu::say("%s", what);
  return condition;
}

const Tensor* tensor(void* p, const char* what) {
  if (!emu::lives(p, "tensor descriptor")) return nullptr;
  auto* t = static_cast<Tensor*>(p);
  if (t->n == 0) {
    emu::say("the descriptor of %s was never set", what);
    return nullptr;
  }
  return t;
}

const Filter* filter(void* p, const char* what) {
  if (!emu::lives(p, "filter descriptor")) return nullptr;
  auto* f = static_cast<Filter*>(p);
  if (f->n == 0) {
    emu::say("the descriptor of %s was never set", what);
    return nullptr;
  }
  return f;
}

const Activation* activation(void* p) {
  if (!emu::lives(p, "activation descriptor")) return nullptr;
  auto* a = static_cast<Activation*>(p);
  if (a->mode < 0) {
    emu::say("the activation descriptor was never set");
    return nullptr;
  }
  return a;
}

bool memory(const Tensor& t, const void* p, const char* what) {
  return emu::device(p, t.bytes(), t.element(), what);
}

bool real(const Tensor& t) {
  return check(t.type == FLOAT || t.type == DOUBLE, "only float and double are emulated");
}

bool floating(const Tensor& t) { return t.sixteen() || real(t); }

int submit(Handle* h, std::function<void()> run, std::vector<emu::Range> ranges) {
  return emu::enqueue(h->stream, {std::move(run), std::move(ranges)}) && !emu::poisoned()
             ? OK
             : EXECUTION_FAILED;
}

bool factor(const Tensor& t, const void* p, const char* what, double* out) {
  if (!emu::host(p, what)) return false;
  *out = t.type == DOUBLE ? *static_cast<const double*>(p) : *static_cast<const float*>(p);
  return true;
}

bool workspace(const void* p, size_t given, size_t needed) {
  if (given < needed) {
    emu::say("workspace of %zu bytes, needs %zu", given, needed);
    return false;
  }
  return needed == 0 || emu::device(p, given, 16, "the workspace");
}

namespace {

bool positive(int n, const int* values, const char* what) {
  for (int i = 0; i < n; i++)
    if (values[i] <= 0) {
      emu::say("%s[%d] is %d", what, i, values[i]);
      return false;
    }
  return true;
}

int setTensor(void* raw, int type, int n, const int* dims, const int* strides) {
  if (!emu::lives(raw, "tensor descriptor")) return BAD_PARAM;
  if (!check(type >= 0 && type <= 14, "not a data type")) return BAD_PARAM;
  if (n < 3 || n > 8) {  // as cuDNN: pad with 1
    emu::say("%d dimensions", n);
    return NOT_SUPPORTED;
  }
  if (!positive(n, dims, "dimension") || !positive(n, strides, "stride")) return BAD_PARAM;
  auto* t = static_cast<Tensor*>(raw);
  t->type = type;
  t->n = n;
  std::copy(dims, dims + n, t->dims);
  std::copy(strides, strides + n, t->strides);
  return OK;
}

int setPacked(void* raw, int format, int type, int n, const int* dims) {
  if (!check(format == 0 || format == 1, "format is neither NCHW nor NHWC")) return NOT_SUPPORTED;
  if (n < 3 || n > 8) return NOT_SUPPORTED;
  int strides[8];
  long stride = 1;
  if (format == 1) {
    strides[1] = 1;
    stride = dims[1];
  }
  for (int i = n - 1; i >= (format == 1 ? 2 : 0); i--) {
    strides[i] = int(stride);
    stride *= dims[i];
  }
  if (format == 1) strides[0] = int(stride);
  if (!check(stride <= 2147483647L, "more than 2^31 - 1 elements")) return NOT_SUPPORTED;
  return setTensor(raw, type, n, dims, strides);
}

int setFilter(void* raw, int type, int format, int n, const int* dims) {
  if (!emu::lives(raw, "filter descriptor")) return BAD_PARAM;
  if (!check(format == 0 || format == 1, "format is neither NCHW nor NHWC")) return NOT_SUPPORTED;
  if (n < 3 || n > 8) return NOT_SUPPORTED;
  if (!positive(n, dims, "filter dimension")) return BAD_PARAM;
  auto* f = static_cast<Filter*>(raw);
  f->type = type;
  f->format = format;
  f->n = n;
  std::copy(dims, dims + n, f->dims);
  return OK;
}

}  // namespace
}  // namespace dnn

using namespace dnn;

extern "C" {

size_t cudnnGetVersion() { return emu::cudnnVersion(); }
size_t cudnnGetCudartVersion() { return 12060; }
size_t cudnnGetMaxDeviceVersion() { return 900; }

void secateurEmuLastMessage(char* text, int size);

void cudnnGetLastErrorString(char* message, size_t most) {
  if (most > 0) secateurEmuLastMessage(message, int(most));
}

const char* cudnnGetErrorString(int status) {
  switch (status) {
    case OK: return "CUDNN_STATUS_SUCCESS";
    case NOT_INITIALIZED: return "CUDNN_STATUS_NOT_INITIALIZED";
    case BAD_PARAM: return "CUDNN_STATUS_BAD_PARAM";
    case NULL_POINTER: return "CUDNN_STATUS_BAD_PARAM_NULL_POINTER";
    case NOT_FINALIZED: return "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED";
    case ATTRIBUTE_TYPE: return "CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE";
    case MISALIGNED: return "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER";
    case SIZE_INSUFFICIENT: return "CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT";
    case SHAPE_MISMATCH: return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
    case NOT_SUPPORTED: return "CUDNN_STATUS_NOT_SUPPORTED";
    case HOST_ALLOCATION_FAILED: return "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED";
    case EXECUTION_FAILED: return "CUDNN_STATUS_EXECUTION_FAILED";
    default: return "CUDNN_STATUS_INTERNAL_ERROR";
  }
}

int cudnnGetProperty(int type, int* value) {
  int v = emu::cudnnVersion();
  const int version[] = {v / 10000, v / 100 % 100, v % 100};
  if (type < 0 || type > 2) return BAD_PARAM;
  *value = version[type];
  return OK;
}

int cudnnCreate(void** out) {
  EMU_API(cudnnCreate, HOST_ALLOCATION_FAILED);
  if (!emu::hasContext() || emu::refused()) return NOT_INITIALIZED;
  if (emu::unsafeInCapture()) return INTERNAL_ERROR;
  *out = new Handle;
  emu::born(*out, "cudnn handle");
  return OK;
}

int cudnnDestroy(void* raw) {
  EMU_API(cudnnDestroy, INTERNAL_ERROR);
  return emu::dies(raw, "cudnn handle") ? OK : BAD_PARAM;
}

int cudnnSetStream(void* raw, void* stream) {
  EMU_API(cudnnSetStream, INTERNAL_ERROR);
  if (!emu::lives(raw, "cudnn handle") || !emu::stream(stream)) return BAD_PARAM;
  static_cast<Handle*>(raw)->stream = stream;
  return OK;
}

int cudnnGetStream(void* raw, void** stream) {
  DNN_API(cudnnGetStream);
  *stream = h->stream;
  return OK;
}

#define DESCRIPTOR(Name, Type, kind)                                   \
  int cudnnCreate##Name##Descriptor(void** out) {                      \
    EMU_API(cudnnCreate##Name##Descriptor, HOST_ALLOCATION_FAILED);    \
    *out = new Type;                                                   \
    emu::born(*out, kind " descriptor");                               \
    return OK;                                                         \
  }                                                                    \
  int cudnnDestroy##Name##Descriptor(void* raw) {                      \
    EMU_API(cudnnDestroy##Name##Descriptor, INTERNAL_ERROR);           \
    return raw == nullptr || emu::dies(raw, kind " descriptor") ? OK : BAD_PARAM; \
  }
DESCRIPTOR(Tensor, Tensor, "tensor")
DESCRIPTOR(Filter, Filter, "filter")
DESCRIPTOR(Activation, Activation, "activation")

int cudnnSetTensor4dDescriptor(void* raw, int format, int type, int n, int c, int h, int w) {
  EMU_API(cudnnSetTensor4dDescriptor, INTERNAL_ERROR);
  int dims[] = {n, c, h, w};
  return setPacked(raw, format, type, 4, dims);
}

int cudnnSetTensor4dDescriptorEx(void* raw, int type, int n, int c, int h, int w, int sn, int sc,
                                 int sh, int sw) {
  EMU_API(cudnnSetTensor4dDescriptorEx, INTERNAL_ERROR);
  int dims[] = {n, c, h, w}, strides[] = {sn, sc, sh, sw};
  return setTensor(raw, type, 4, dims, strides);
}

int cudnnSetTensorNdDescriptor(void* raw, int type, int n, const int* dims, const int* strides) {
  EMU_API(cudnnSetTensorNdDescriptor, INTERNAL_ERROR);
  if (!emu::host(dims, "the dimensions") || !emu::host(strides, "the strides"))
    return NULL_POINTER;
  return setTensor(raw, type, n, dims, strides);
}

int cudnnSetTensorNdDescriptorEx(void* raw, int format, int type, int n, const int* dims) {
  EMU_API(cudnnSetTensorNdDescriptorEx, INTERNAL_ERROR);
  if (!emu::host(dims, "the dimensions")) return NULL_POINTER;
  return setPacked(raw, format, type, n, dims);
}

int cudnnGetTensor4dDescriptor(void* raw, int* type, int* n, int* c, int* h, int* w, int* sn,
                               int* sc, int* sh, int* sw) {
  EMU_API(cudnnGetTensor4dDescriptor, INTERNAL_ERROR);
  const Tensor* t = tensor(raw, "the tensor");
  if (!t || t->n != 4) return BAD_PARAM;
  *type = t->type;
  int* dims[] = {n, c, h, w};
  int* strides[] = {sn, sc, sh, sw};
  for (int i = 0; i < 4; i++) {
    *dims[i] = int(t->dims[i]);
    *strides[i] = int(t->strides[i]);
  }
  return OK;
}

int cudnnGetTensorNdDescriptor(void* raw, int wanted, int* type, int* n, int* dims, int* strides) {
  EMU_API(cudnnGetTensorNdDescriptor, INTERNAL_ERROR);
  const Tensor* t = tensor(raw, "the tensor");
  if (!t) return BAD_PARAM;
  *type = t->type;
  *n = t->n;
  for (int i = 0; i < std::min(wanted, t->n); i++) {
    dims[i] = int(t->dims[i]);
    strides[i] = int(t->strides[i]);
  }
  return OK;
}

int cudnnGetTensorSizeInBytes(void* raw, size_t* bytes) {
  EMU_API(cudnnGetTensorSizeInBytes, INTERNAL_ERROR);
  const Tensor* t = tensor(raw, "the tensor");
  if (!t) return BAD_PARAM;
  *bytes = t->bytes();
  return OK;
}

int cudnnSetFilter4dDescriptor(void* raw, int type, int format, int k, int c, int r, int s) {
  EMU_API(cudnnSetFilter4dDescriptor, INTERNAL_ERROR);
  int dims[] = {k, c, r, s};
  return setFilter(raw, type, format, 4, dims);
}

int cudnnSetFilterNdDescriptor(void* raw, int type, int format, int n, const int* dims) {
  EMU_API(cudnnSetFilterNdDescriptor, INTERNAL_ERROR);
  if (!emu::host(dims, "the dimensions")) return NULL_POINTER;
  return setFilter(raw, type, format, n, dims);
}

int cudnnGetFilter4dDescriptor(void* raw, int* type, int* format, int* k, int* c, int* r, int* s) {
  EMU_API(cudnnGetFilter4dDescriptor, INTERNAL_ERROR);
  const Filter* f = filter(raw, "the filter");
  if (!f || f->n != 4) return BAD_PARAM;
  *type = f->type;
  *format = f->format;
  int* dims[] = {k, c, r, s};
  for (int i = 0; i < 4; i++) *dims[i] = int(f->dims[i]);
  return OK;
}

int cudnnGetFilterSizeInBytes(void* raw, size_t* bytes) {
  EMU_API(cudnnGetFilterSizeInBytes, INTERNAL_ERROR);
  const Filter* f = filter(raw, "the filter");
  if (!f) return BAD_PARAM;
  *bytes = f->tensor().bytes();
  return OK;
}

int cudnnSetActivationDescriptor(void* raw, int mode, int nan, double coefficient) {
  EMU_API(cudnnSetActivationDescriptor, INTERNAL_ERROR);
  if (!emu::lives(raw, "activation descriptor")) return BAD_PARAM;
  if (!check(mode >= 0 && mode <= 6, "not an activation")) return BAD_PARAM;
  if (!check(nan == 0 || nan == 1, "not an option for NaN")) return BAD_PARAM;
  auto* a = static_cast<Activation*>(raw);
  a->mode = mode;
  a->propagates = nan == 1;
  a->coefficient = coefficient;
  return OK;
}
}
