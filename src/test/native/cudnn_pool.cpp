// cuDNN 9: pooling over two dimensions.
#include "cudnn.h"

using namespace dnn;

namespace {

enum { MAX = 0, INCLUDE = 1, EXCLUDE = 2, MAX_DETERMINISTIC = 3 };

struct Pooling {
  int mode = -1;
  int window[2] = {}, pad[2] = {}, stride[2] = {};
};

struct Problem {
  Tensor x, y;
  Pooling d;
  double alpha, beta;
};

long outSize(long in, int pad, int window, int stride) {
  return in + 2L * pad < window ? 0 : (in + 2L * pad - window) / stride + 1;
}

int problem(void* desc, const void* alpha, void* xDesc, const void* beta, void* yDesc,
            Problem* out) {
  if (!emu::lives(desc, "pooling descriptor")) return BAD_PARAM;
  auto* d = static_cast<Pooling*>(desc);
  const Tensor *x = tensor(xDesc, "x"), *y = tensor(yDesc, "y");
  if (!check(d->mode >= 0, "the pooling descriptor was never set") || !x || !y) return BAD_PARAM;
  if (!real(*x)) return NOT_SUPPORTED;
  if (!check(x->n == 4 && y->n == 4 && x->type == y->type, "x and y are not 4-d of one type"))
    return BAD_PARAM;
  long h = outSize(x->dims[2], d->pad[0], d->window[0], d->stride[0]);
  long w = outSize(x->dims[3], d->pad[1], d->window[1], d->stride[1]);
  if (h <= 0 || w <= 0 || y->dims[0] != x->dims[0] || y->dims[1] != x->dims[1] ||
      y->dims[2] != h || y->dims[3] != w) {
    emu::say("y is %ld x %ld x %ld x %ld, must be %ld x %ld x %ld x %ld", y->dims[0], y->dims[1],
             y->dims[2], y->dims[3], x->dims[0], x->dims[1], h, w);
    return BAD_PARAM;
  }
  *out = Problem{*x, *y, *d, 0, 0};
  return factor(*x, alpha, "alpha", &out->alpha) && factor(*x, beta, "beta", &out->beta)
             ? OK
             : NULL_POINTER;
}

struct Window {
  long y0, y1, x0, x1;
  double divisor;
};

template <typename F>
void windows(const Problem& c, F f) {
  for (long n = 0; n < c.y.dims[0]; n++)
    for (long k = 0; k < c.y.dims[1]; k++)
      for (long p = 0; p < c.y.dims[2]; p++)
        for (long q = 0; q < c.y.dims[3]; q++) {
          long y = p * c.d.stride[0] - c.d.pad[0], x = q * c.d.stride[1] - c.d.pad[1];
          Window w = {std::max(0L, y), std::min(c.x.dims[2], y + c.d.window[0]), std::max(0L, x),
                      std::min(c.x.dims[3], x + c.d.window[1]), 1};
          w.divisor = c.d.mode == INCLUDE ? double(c.d.window[0]) * c.d.window[1]
                                          : double((w.y1 - w.y0) * (w.x1 - w.x0));
          f(n * c.y.strides[0] + k * c.y.strides[1] + p * c.y.strides[2] + q * c.y.strides[3],
            n * c.x.strides[0] + k * c.x.strides[1], w);
        }
}

template <typename T>
long largest(const Problem& c, const T* x, long plane, const Window& w) {
  long best = -1;
  for (long i = w.y0; i < w.y1; i++)
    for (long j = w.x0; j < w.x1; j++) {
      long at = plane + i * c.x.strides[2] + j * c.x.strides[3];
      if (best < 0 || x[at] > x[best]) best = at;
    }
  return best;
}

bool isMax(const Problem& c) { return c.d.mode == MAX || c.d.mode == MAX_DETERMINISTIC; }

int set(void* raw, int mode, const int* window, const int* pad, const int* stride) {
  if (!emu::lives(raw, "pooling descriptor")) return BAD_PARAM;
  if (!check(mode >= 0 && mode <= 3, "not a pooling mode")) return BAD_PARAM;
  for (int i = 0; i < 2; i++)
    if (!check(window[i] > 0 && stride[i] > 0 && pad[i] >= 0 && pad[i] < window[i],
               "window, stride or padding is impossible"))
      return BAD_PARAM;
  auto* d = static_cast<Pooling*>(raw);
  d->mode = mode;
  std::copy_n(window, 2, d->window);
  std::copy_n(pad, 2, d->pad);
  std::copy_n(stride, 2, d->stride);
  return OK;
}

}  // namespace

extern "C" {

int cudnnCreatePoolingDescriptor(void** out) {
  EMU_API(cudnnCreatePoolingDescriptor, HOST_ALLOCATION_FAILED);
  *out = new Pooling;
  emu::born(*out, "pooling descriptor");
  return OK;
}

int cudnnDestroyPoolingDescriptor(void* raw) {
  EMU_API(cudnnDestroyPoolingDescriptor, INTERNAL_ERROR);
  return raw == nullptr || emu::dies(raw, "pooling descriptor") ? OK : BAD_PARAM;
}

int cudnnSetPooling2dDescriptor(void* raw, int mode, int, int wh, int ww, int ph, int pw, int sh,
                                int sw) {
  EMU_API(cudnnSetPooling2dDescriptor, INTERNAL_ERROR);
  int window[] = {wh, ww}, pad[] = {ph, pw}, stride[] = {sh, sw};
  return set(raw, mode, window, pad, stride);
}

int cudnnSetPoolingNdDescriptor(void* raw, int mode, int, int n, const int* window, const int* pad,
                                const int* stride) {
  EMU_API(cudnnSetPoolingNdDescriptor, INTERNAL_ERROR);
  if (!check(n == 2, "only 2-d pooling is emulated")) return NOT_SUPPORTED;
  return set(raw, mode, window, pad, stride);
}

int cudnnGetPooling2dForwardOutputDim(void* raw, void* xDesc, int* n, int* c, int* h, int* w) {
  EMU_API(cudnnGetPooling2dForwardOutputDim, INTERNAL_ERROR);
  const Tensor* x = tensor(xDesc, "x");
  if (!emu::lives(raw, "pooling descriptor") || !x || x->n != 4) return BAD_PARAM;
  auto* d = static_cast<Pooling*>(raw);
  *n = int(x->dims[0]);
  *c = int(x->dims[1]);
  *h = int(outSize(x->dims[2], d->pad[0], d->window[0], d->stride[0]));
  *w = int(outSize(x->dims[3], d->pad[1], d->window[1], d->stride[1]));
  return OK;
}

int cudnnPoolingForward(void* raw, void* desc, const void* alpha, void* xDesc, const void* x,
                        const void* beta, void* yDesc, void* y) {
  DNN_API(cudnnPoolingForward);
  Problem c;
  if (int status = problem(desc, alpha, xDesc, beta, yDesc, &c); status != OK) return status;
  if (!memory(c.x, x, "x") || !memory(c.y, y, "y")) return BAD_PARAM;
  return typed(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          auto* in = static_cast<const T*>(x);
          windows(c, [&](long at, long plane, const Window& w) {
            double v = 0;
            if (isMax(c)) {
              v = in[largest(c, in, plane, w)];
            } else {
              for (long i = w.y0; i < w.y1; i++)
                for (long j = w.x0; j < w.x1; j++)
                  v += in[plane + i * c.x.strides[2] + j * c.x.strides[3]];
              v /= w.divisor;
            }
            blend(static_cast<T*>(y) + at, c.alpha, v, c.beta);
          });
        },
        {span(c.x, x), span(c.y, y)});
  });
}

int cudnnPoolingBackward(void* raw, void* desc, const void* alpha, void* yDesc, const void* y,
                         void* dyDesc, const void* dy, void* xDesc, const void* x, const void* beta,
                         void* dxDesc, void* dx) {
  DNN_API(cudnnPoolingBackward);
  Problem c;
  if (int status = problem(desc, alpha, xDesc, beta, yDesc, &c); status != OK) return status;
  const Tensor *dyt = tensor(dyDesc, "dy"), *dxt = tensor(dxDesc, "dx");
  if (!dyt || !dxt ||
      !check(dyt->sameLayout(c.y) && dxt->sameLayout(c.x), "dy differs from y, or dx from x"))
    return BAD_PARAM;
  if (!memory(c.x, x, "x") || !memory(c.y, y, "y") || !memory(c.y, dy, "dy") ||
      !memory(c.x, dx, "dx"))
    return BAD_PARAM;
  return typed(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          auto* in = static_cast<const T*>(x);
          auto* grad = static_cast<const T*>(dy);
          std::vector<double> sums(c.x.bytes() / sizeof(T));
          windows(c, [&](long at, long plane, const Window& w) {
            if (isMax(c)) {
              sums[largest(c, in, plane, w)] += grad[at];
              return;
            }
            for (long i = w.y0; i < w.y1; i++)
              for (long j = w.x0; j < w.x1; j++)
                sums[plane + i * c.x.strides[2] + j * c.x.strides[3]] += grad[at] / w.divisor;
          });
          each(c.x, c.x, c.x, c.x, [&](long i, long, long) {
            blend(static_cast<T*>(dx) + i, c.alpha, sums[i], c.beta);
          });
        },
        {span(c.x, x), span(c.y, y), span(c.y, dy), span(c.x, dx)});
  });
}
}
