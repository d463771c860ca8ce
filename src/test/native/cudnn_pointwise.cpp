// cuDNN 9: activations, softmax, arithmetic of tensors, reductions.
#include "cudnn.h"

using namespace dnn;

namespace {

struct OpTensor {
  int op = -1, type = 0;
};
struct Reduction {
  int op = -1, type = 0, indices = 0;
};

// Two tensors of one shape and type with their scalars.
struct Pair {
  Tensor x, y;
  double alpha = 1, beta = 0;
};

int pair(void* xDesc, void* yDesc, const void* alpha, const void* beta, Pair* out) {
  const Tensor *x = tensor(xDesc, "the input"), *y = tensor(yDesc, "the output");
  if (!x || !y) return BAD_PARAM;
  if (!check(x->sameDims(*y) && x->type == y->type, "input and output differ in shape or type"))
    return BAD_PARAM;
  if (!real(*x)) return NOT_SUPPORTED;
  out->x = *x;
  out->y = *y;
  return factor(*x, alpha, "alpha", &out->alpha) && factor(*x, beta, "beta", &out->beta)
             ? OK
             : NULL_POINTER;
}

// In place works when both lie the same way.
bool inPlace(const Tensor& a, const void* p, const Tensor& b, const void* q) {
  return check(p != q || a.sameLayout(b), "in place with different strides");
}

template <typename F>
void unary(const Pair& c, F f) {
  if (c.x.dense() && c.y.dense() && c.x.sameLayout(c.y)) {
    long n = c.x.count();
    for (long i = 0; i < n; i++) f(i, i);
  } else {
    each(c.y, c.x, c.y, c.y, [&](long i, long j, long) { f(i, j); });
  }
}

double activate(int mode, double coefficient, double v) {
  switch (mode) {
    case 0: return 1 / (1 + std::exp(-v));
    case 1: return v < 0 ? 0 : v;
    case 2: return std::tanh(v);
    case 3: return v < 0 ? 0 : v > coefficient ? coefficient : v;
    case 4: return v > 0 ? v : coefficient * (std::exp(v) - 1);
    case 5: return v;
    default: return v / (1 + std::exp(-v));
  }
}

double derivative(int mode, double coefficient, double x, double y) {
  switch (mode) {
    case 0: return y * (1 - y);
    case 1: return x > 0 ? 1 : 0;
    case 2: return 1 - y * y;
    case 3: return x > 0 && x < coefficient ? 1 : 0;
    case 4: return x > 0 ? 1 : y + coefficient;
    case 5: return 1;
    default: return 1 / (1 + std::exp(-x)) + y * (1 - 1 / (1 + std::exp(-x)));
  }
}

// Groups of a softmax: channels at each position, or all but the batch.
template <typename F>
void groups(const Tensor& t, int mode, F f) {
  Tensor outer = t, inner = t;
  for (int i = 0; i < t.n; i++) {
    bool in = i == 1 || (mode == 0 && i > 1);
    (in ? outer : inner).dims[i] = 1;
  }
  std::vector<long> offsets;
  each(inner, t, t, t, [&](long i, long, long) { offsets.push_back(i); });
  each(outer, t, t, t, [&](long i, long, long) { f(i, offsets); });
}

bool broadcasts(const Tensor& a, const Tensor& c) {
  if (a.n != c.n || a.type != c.type) return false;
  for (int i = 0; i < a.n; i++)
    if (a.dims[i] != 1 && a.dims[i] != c.dims[i]) return false;
  return true;
}

}  // namespace

extern "C" {

int cudnnActivationForward(void* raw, void* actDesc, const void* alpha, void* xDesc, const void* x,
                           const void* beta, void* yDesc, void* y) {
  DNN_API(cudnnActivationForward);
  const Activation* act = activation(actDesc);
  if (!act) return BAD_PARAM;
  if (act->mode == 5) {
    emu::say("identity is for cudnnConvolutionBiasActivationForward only");
    return BAD_PARAM;
  }
  Pair c;
  if (int status = pair(xDesc, yDesc, alpha, beta, &c); status != OK) return status;
  if (!memory(c.x, x, "x") || !memory(c.y, y, "y") || !inPlace(c.x, x, c.y, y)) return BAD_PARAM;
  Activation a = *act;
  return typed(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          unary(c, [&](long i, long j) {
            blend(static_cast<T*>(y) + j, c.alpha,
                  activate(a.mode, a.coefficient, static_cast<const T*>(x)[i]), c.beta);
          });
        },
        {span(c.x, x), span(c.y, y)});
  });
}

int cudnnActivationBackward(void* raw, void* actDesc, const void* alpha, void* yDesc, const void* y,
                            void* dyDesc, const void* dy, void* xDesc, const void* x,
                            const void* beta, void* dxDesc, void* dx) {
  DNN_API(cudnnActivationBackward);
  const Activation* act = activation(actDesc);
  const Tensor *yt = tensor(yDesc, "y"), *dyt = tensor(dyDesc, "dy");
  if (!act || !yt || !dyt) return BAD_PARAM;
  if (!check(act->mode != 5, "identity is for cudnnConvolutionBiasActivationForward only"))
    return BAD_PARAM;
  Pair c;
  if (int status = pair(xDesc, dxDesc, alpha, beta, &c); status != OK) return status;
  if (!check(yt->sameLayout(c.x) && dyt->sameLayout(c.x) && c.y.sameLayout(c.x) &&
                 yt->type == c.x.type && dyt->type == c.x.type,
             "x, y, dx, dy differ in shape, type or strides"))
    return BAD_PARAM;
  if (!memory(c.x, x, "x") || !memory(c.x, y, "y") || !memory(c.x, dy, "dy") ||
      !memory(c.x, dx, "dx"))
    return BAD_PARAM;
  Activation a = *act;
  return typed(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          unary(c, [&](long i, long) {
            double d = derivative(a.mode, a.coefficient, static_cast<const T*>(x)[i],
                                  static_cast<const T*>(y)[i]);
            double g = static_cast<const T*>(dy)[i];
            blend(static_cast<T*>(dx) + i, c.alpha, d == 0 ? 0 : d * g, c.beta);
          });
        },
        {span(c.x, x), span(c.x, y), span(c.x, dy), span(c.x, dx)});
  });
}

int cudnnSoftmaxForward(void* raw, int algorithm, int mode, const void* alpha, void* xDesc,
                        const void* x, const void* beta, void* yDesc, void* y) {
  DNN_API(cudnnSoftmaxForward);
  if (!check(algorithm >= 0 && algorithm <= 2 && (mode == 0 || mode == 1), "not a softmax"))
    return BAD_PARAM;
  Pair c;
  if (int status = pair(xDesc, yDesc, alpha, beta, &c); status != OK) return status;
  if (!check(c.x.sameLayout(c.y), "x and y differ in strides")) return NOT_SUPPORTED;
  if (!memory(c.x, x, "x") || !memory(c.y, y, "y")) return BAD_PARAM;
  return typed(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          auto* in = static_cast<const T*>(x);
          auto* out = static_cast<T*>(y);
          groups(c.x, mode, [&](long at, const std::vector<long>& offsets) {
            double largest = algorithm == 0 ? 0 : -INFINITY, sum = 0;
            if (algorithm != 0)
              for (long o : offsets) largest = std::max(largest, double(in[at + o]));
            for (long o : offsets) sum += std::exp(in[at + o] - largest);
            for (long o : offsets) {
              double v = in[at + o] - largest;
              blend(out + at + o, c.alpha, algorithm == 2 ? v - std::log(sum) : std::exp(v) / sum,
                    c.beta);
            }
          });
        },
        {span(c.x, x), span(c.y, y)});
  });
}

int cudnnSoftmaxBackward(void* raw, int algorithm, int mode, const void* alpha, void* yDesc,
                         const void* y, void* dyDesc, const void* dy, const void* beta,
                         void* dxDesc, void* dx) {
  DNN_API(cudnnSoftmaxBackward);
  if (!check(algorithm >= 0 && algorithm <= 2 && (mode == 0 || mode == 1), "not a softmax"))
    return BAD_PARAM;
  Pair c;
  if (int status = pair(yDesc, dxDesc, alpha, beta, &c); status != OK) return status;
  const Tensor* d = tensor(dyDesc, "dy");
  if (!d || !check(d->sameLayout(c.x) && c.y.sameLayout(c.x), "y, dy, dx differ")) return BAD_PARAM;
  if (!memory(c.x, y, "y") || !memory(c.x, dy, "dy") || !memory(c.x, dx, "dx")) return BAD_PARAM;
  return typed(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          auto *p = static_cast<const T*>(y), *g = static_cast<const T*>(dy);
          groups(c.x, mode, [&](long at, const std::vector<long>& offsets) {
            double sum = 0;
            for (long o : offsets)
              sum += algorithm == 2 ? double(g[at + o]) : double(g[at + o]) * p[at + o];
            for (long o : offsets) {
              double v = algorithm == 2 ? g[at + o] - std::exp(double(p[at + o])) * sum
                                        : p[at + o] * (g[at + o] - sum);
              blend(static_cast<T*>(dx) + at + o, c.alpha, v, c.beta);
            }
          });
        },
        {span(c.x, y), span(c.x, dy), span(c.x, dx)});
  });
}

int cudnnAddTensor(void* raw, const void* alpha, void* aDesc, const void* a, const void* beta,
                   void* cDesc, void* out) {
  DNN_API(cudnnAddTensor);
  const Tensor *at = tensor(aDesc, "A"), *ct = tensor(cDesc, "C");
  if (!at || !ct) return BAD_PARAM;
  if (!real(*ct)) return NOT_SUPPORTED;
  if (!check(broadcasts(*at, *ct), "A is neither of C's shape nor 1 where it differs"))
    return BAD_PARAM;
  double s, t;
  if (!factor(*ct, alpha, "alpha", &s) || !factor(*ct, beta, "beta", &t)) return NULL_POINTER;
  if (!memory(*at, a, "A") || !memory(*ct, out, "C")) return BAD_PARAM;
  Tensor ta = *at, tc = *ct;
  return typed(tc, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          each(tc, ta, tc, tc, [&](long i, long j, long) {
            blend(static_cast<T*>(out) + j, s, static_cast<const T*>(a)[i], t);
          });
        },
        {span(ta, a), span(tc, out)});
  });
}

#define DESCRIPTOR(Name, Type, kind)                                              \
  int cudnnCreate##Name##Descriptor(void** out) {                                 \
    EMU_API(cudnnCreate##Name##Descriptor, HOST_ALLOCATION_FAILED);               \
    *out = new Type;                                                              \
    emu::born(*out, kind " descriptor");                                          \
    return OK;                                                                    \
  }                                                                               \
  int cudnnDestroy##Name##Descriptor(void* raw) {                                 \
    EMU_API(cudnnDestroy##Name##Descriptor, INTERNAL_ERROR);                      \
    return raw == nullptr || emu::dies(raw, kind " descriptor") ? OK : BAD_PARAM; \
  }
DESCRIPTOR(OpTensor, OpTensor, "tensor operation")
DESCRIPTOR(ReduceTensor, Reduction, "reduction")

int cudnnSetOpTensorDescriptor(void* raw, int op, int type, int) {
  EMU_API(cudnnSetOpTensorDescriptor, INTERNAL_ERROR);
  if (!emu::lives(raw, "tensor operation descriptor") || !check(op >= 0 && op <= 5, "no operation"))
    return BAD_PARAM;
  *static_cast<OpTensor*>(raw) = {op, type};
  return OK;
}

int cudnnOpTensor(void* raw, void* opDesc, const void* alpha1, void* aDesc, const void* a,
                  const void* alpha2, void* bDesc, const void* b, const void* beta, void* cDesc,
                  void* out) {
  DNN_API(cudnnOpTensor);
  if (!emu::lives(opDesc, "tensor operation descriptor")) return BAD_PARAM;
  OpTensor op = *static_cast<OpTensor*>(opDesc);
  if (!check(op.op >= 0, "the operation was never set")) return BAD_PARAM;
  bool binary = op.op < 4;
  const Tensor *at = tensor(aDesc, "A"), *bt = binary ? tensor(bDesc, "B") : at,
               *ct = tensor(cDesc, "C");
  if (!at || !bt || !ct) return BAD_PARAM;
  if (!real(*ct)) return NOT_SUPPORTED;
  if (!check(op.type == ct->type, "the compute type is not the data type")) return NOT_SUPPORTED;
  if (!check(at->sameDims(*ct) && at->type == ct->type, "A is not of C's shape") ||
      !check(broadcasts(*bt, *ct), "B is neither of C's shape nor 1 where it differs"))
    return BAD_PARAM;
  double s1, s2 = 0, t;
  if (!factor(*ct, alpha1, "alpha1", &s1) || (binary && !factor(*ct, alpha2, "alpha2", &s2)) ||
      !factor(*ct, beta, "beta", &t))
    return NULL_POINTER;
  if (!memory(*at, a, "A") || (binary && !memory(*bt, b, "B")) || !memory(*ct, out, "C"))
    return BAD_PARAM;
  if (!inPlace(*at, a, *ct, out) || (binary && !inPlace(*bt, b, *ct, out))) return BAD_PARAM;
  Tensor ta = *at, tb = *bt, tc = *ct;
  std::vector<emu::Range> ranges = {span(ta, a), span(tc, out)};
  if (binary) ranges.push_back(span(tb, b));
  return typed(tc, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          each(tc, ta, tb, tc, [&](long i, long j, long k) {
            double x = s1 * static_cast<const T*>(a)[i];
            double y = binary ? s2 * static_cast<const T*>(b)[j] : 0;
            double v = op.op == 0   ? x + y
                       : op.op == 1 ? x * y
                       : op.op == 2 ? std::min(x, y)
                       : op.op == 3 ? std::max(x, y)
                       : op.op == 4 ? std::sqrt(x)
                                    : 1 - x;
            blend(static_cast<T*>(out) + k, 1, v, t);
          });
        },
        ranges);
  });
}

int cudnnSetTensor(void* raw, void* yDesc, void* y, const void* value) {
  DNN_API(cudnnSetTensor);
  const Tensor* t = tensor(yDesc, "y");
  if (!t) return BAD_PARAM;
  if (t->type != INT32 && !real(*t)) return NOT_SUPPORTED;
  if (!emu::host(value, "the value")) return NULL_POINTER;
  if (!memory(*t, y, "y")) return BAD_PARAM;
  Tensor ty = *t;
  char bytes[8] = {};
  size_t size = t->element();
  memcpy(bytes, value, size);
  uint64_t word;
  memcpy(&word, bytes, 8);
  return submit(
      h,
      [=] {
        each(ty, ty, ty, ty, [&](long i, long, long) {
          memcpy(static_cast<char*>(y) + i * size, &word, size);
        });
      },
      {span(ty, y)});
}

int cudnnScaleTensor(void* raw, void* yDesc, void* y, const void* alpha) {
  DNN_API(cudnnScaleTensor);
  const Tensor* t = tensor(yDesc, "y");
  if (!t) return BAD_PARAM;
  if (!real(*t)) return NOT_SUPPORTED;
  double s;
  if (!factor(*t, alpha, "alpha", &s)) return NULL_POINTER;
  if (!memory(*t, y, "y")) return BAD_PARAM;
  Tensor ty = *t;
  return typed(ty, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          each(ty, ty, ty, ty, [&](long i, long, long) {
            T& v = static_cast<T*>(y)[i];
            v = T(s * v);
          });
        },
        {span(ty, y)});
  });
}

int cudnnTransformTensor(void* raw, const void* alpha, void* xDesc, const void* x, const void* beta,
                         void* yDesc, void* y) {
  DNN_API(cudnnTransformTensor);
  Pair c;
  if (int status = pair(xDesc, yDesc, alpha, beta, &c); status != OK) return status;
  if (!memory(c.x, x, "x") || !memory(c.y, y, "y")) return BAD_PARAM;
  if (!check(x != y, "cudnnTransformTensor does not work in place")) return BAD_PARAM;
  return typed(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          unary(c, [&](long i, long j) {
            blend(static_cast<T*>(y) + j, c.alpha, static_cast<const T*>(x)[i], c.beta);
          });
        },
        {span(c.x, x), span(c.y, y)});
  });
}

int cudnnSetReduceTensorDescriptor(void* raw, int op, int type, int, int indices, int) {
  EMU_API(cudnnSetReduceTensorDescriptor, INTERNAL_ERROR);
  if (!emu::lives(raw, "reduction descriptor") || !check(op >= 0 && op <= 8, "no reduction"))
    return BAD_PARAM;
  *static_cast<Reduction*>(raw) = {op, type, indices};
  return OK;
}

static size_t reductionWorkspace(const Tensor& a, const Tensor& c) {
  return a.sameDims(c) ? 0 : 256 + size_t(c.count()) * 8;
}

int cudnnGetReductionWorkspaceSize(void* raw, void* desc, void* aDesc, void* cDesc, size_t* bytes) {
  DNN_API(cudnnGetReductionWorkspaceSize);
  const Tensor *a = tensor(aDesc, "A"), *c = tensor(cDesc, "C");
  if (!emu::lives(desc, "reduction descriptor") || !a || !c) return BAD_PARAM;
  *bytes = reductionWorkspace(*a, *c);
  return OK;
}

int cudnnGetReductionIndicesSize(void* raw, void*, void*, void*, size_t* bytes) {
  DNN_API(cudnnGetReductionIndicesSize);
  *bytes = 0;
  return OK;
}

int cudnnReduceTensor(void* raw, void* desc, void*, size_t, void* space, size_t bytes,
                      const void* alpha, void* aDesc, const void* a, const void* beta, void* cDesc,
                      void* out) {
  DNN_API(cudnnReduceTensor);
  if (!emu::lives(desc, "reduction descriptor")) return BAD_PARAM;
  Reduction red = *static_cast<Reduction*>(desc);
  const Tensor *at = tensor(aDesc, "A"), *ct = tensor(cDesc, "C");
  if (!check(red.op >= 0, "the reduction was never set") || !at || !ct) return BAD_PARAM;
  if (!real(*at)) return NOT_SUPPORTED;
  if (!check(red.indices == 0, "indices of a reduction are not emulated")) return NOT_SUPPORTED;
  if (!check(red.type == at->type, "the compute type is not the data type")) return NOT_SUPPORTED;
  if (!check(broadcasts(*ct, *at), "C is neither of A's shape nor 1 where it is reduced"))
    return BAD_PARAM;
  size_t needed = reductionWorkspace(*at, *ct);
  double s, t;
  if (!factor(*at, alpha, "alpha", &s) || !factor(*at, beta, "beta", &t)) return NULL_POINTER;
  if (!workspace(space, bytes, needed) || !memory(*at, a, "A") || !memory(*ct, out, "C"))
    return BAD_PARAM;
  Tensor ta = *at, tc = *ct;
  return typed(ta, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          if (needed) emu::garbage(space, needed);
          Tensor index = tc;  // dense over C
          long stride = 1;
          for (int i = tc.n - 1; i >= 0; i--) {
            index.strides[i] = stride;
            stride *= tc.dims[i];
          }
          double start = red.op == 1 || red.op == 8 ? 1
                         : red.op == 2              ? INFINITY
                         : red.op == 3              ? -INFINITY
                                                    : 0;
          std::vector<double> sums(index.count(), start);
          each(ta, ta, index, ta, [&](long i, long j, long) {
            double v = static_cast<const T*>(a)[i];
            double& r = sums[j];
            switch (red.op) {
              case 0: case 5: r += v; break;
              case 1: r *= v; break;
              case 2: r = std::min(r, v); break;
              case 3: r = std::max(r, v); break;
              case 4: r = std::max(r, std::fabs(v)); break;
              case 6: r += std::fabs(v); break;
              case 7: r += v * v; break;
              default: r *= v == 0 ? 1 : v;
            }
          });
          double n = double(ta.count()) / double(index.count());
          each(tc, tc, index, tc, [&](long i, long j, long) {
            double v = red.op == 5 ? sums[j] / n : red.op == 7 ? std::sqrt(sums[j]) : sums[j];
            blend(static_cast<T*>(out) + i, s, v, t);
          });
        },
        {span(ta, a), span(tc, out)});
  });
}
}
