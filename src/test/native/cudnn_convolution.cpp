// cuDNN 9: convolutions, as im2col and a matrix product, image by image and group by group.
#include "cudnn.h"

using namespace dnn;

namespace {

struct Convolution {
  bool set = false;
  int pad[2] = {}, stride[2] = {1, 1}, dilation[2] = {1, 1};
  int mode = 1;  // 0 flips the filter
  int compute = 0;
  int groups = 1;
  int math = 0;
};

enum Direction { FORWARD, DATA, WEIGHTS };

// A convolution whose descriptors fit together.
struct Problem {
  Tensor x, y, w;
  Convolution c;
  long n, channels, height, width, k, group, r, s, p, q;  // group: channels per group
  bool last;  // channels

  long outputs() const { return p * q; }
  long depth() const { return group * r * s; }
};

const Convolution* convolution(void* raw) {
  if (!emu::lives(raw, "convolution descriptor")) return nullptr;
  auto* c = static_cast<Convolution*>(raw);
  return check(c->set, "the convolution descriptor was never set") ? c : nullptr;
}

long outSize(long in, int pad, long filter, int stride, int dilation) {
  long reach = (filter - 1) * dilation + 1;
  return in + 2L * pad < reach ? 0 : (in + 2L * pad - reach) / stride + 1;
}

int problem(void* xDesc, void* wDesc, void* convDesc, void* yDesc, Problem* out) {
  const Tensor *x = tensor(xDesc, "x"), *y = tensor(yDesc, "y");
  const Filter* w = filter(wDesc, "w");
  const Convolution* c = convolution(convDesc);
  if (!x || !y || !w || !c) return BAD_PARAM;
  if (x->n != 4 || y->n != 4 || w->n != 4) {
    emu::say("only 2-d convolutions are emulated");
    return NOT_SUPPORTED;
  }
  if (x->type != y->type || x->type != w->type) {
    emu::say("types of x, w, y differ: %d, %d, %d", x->type, w->type, y->type);
    return BAD_PARAM;
  }
  if (!floating(*x)) return NOT_SUPPORTED;
  // *_CONFIG of cuDNN's documentation: half and bfloat16 are computed with as float
  if (c->compute != (x->sixteen() ? int(FLOAT) : x->type)) {
    emu::say("compute type %d with data type %d", c->compute, x->type);
    return NOT_SUPPORTED;
  }
  if (x->dims[1] != w->dims[1] * c->groups || w->dims[0] % c->groups != 0) {
    emu::say("%ld channels, filter of %ld x %ld, %d groups", x->dims[1], w->dims[0], w->dims[1],
             c->groups);
    return BAD_PARAM;
  }
  long p = outSize(x->dims[2], c->pad[0], w->dims[2], c->stride[0], c->dilation[0]);
  long q = outSize(x->dims[3], c->pad[1], w->dims[3], c->stride[1], c->dilation[1]);
  if (p <= 0 || q <= 0 || y->dims[0] != x->dims[0] || y->dims[1] != w->dims[0] ||
      y->dims[2] != p || y->dims[3] != q) {
    emu::say("y is %ld x %ld x %ld x %ld, must be %ld x %ld x %ld x %ld", y->dims[0], y->dims[1],
             y->dims[2], y->dims[3], x->dims[0], w->dims[0], p, q);
    return BAD_PARAM;
  }
  bool fits = w->format == 0 ? x->nchw() && y->nchw() : x->nhwc() && y->nhwc();
  if (!fits) {
    emu::say("an %s filter wants x and y packed in the same format",
             w->format == 0 ? "NCHW" : "NHWC");
    return NOT_SUPPORTED;
  }
  *out = Problem{*x, *y, w->tensor(), *c, x->dims[0], x->dims[1], x->dims[2], x->dims[3],
                 w->dims[0], w->dims[1], w->dims[2], w->dims[3], p, q, w->format != 0};
  // a dimension of 1 may carry any stride; give it the packed one, for address arithmetic
  auto pack = [&](Tensor* t) {
    long c = t->dims[1], h = t->dims[2], wd = t->dims[3];
    long nchw[4] = {c * h * wd, h * wd, wd, 1}, nhwc[4] = {c * h * wd, 1, wd * c, c};
    std::copy_n(w->format == 0 ? nchw : nhwc, 4, t->strides);
  };
  pack(&out->x);
  pack(&out->y);
  return OK;
}

// Which algorithms there are, best first, and what they need.
const std::vector<int>& ranking(Direction d) {
  static const std::vector<int> forward = {1, 6, 0, 2, 7, 3, 4, 5};
  static const std::vector<int> data = {1, 0, 4, 5, 2, 3};
  static const std::vector<int> weights = {1, 3, 0, 5, 2, 4};
  return d == FORWARD ? forward : d == DATA ? data : weights;
}

enum Math { DEFAULT_MATH, TENSOR_OP, ALLOW_CONVERSION, FMA };

// Whether there is a GPU to compute this type at all: bfloat16 came with Ampere.
bool computes(const Problem& c) { return c.x.type != BFLOAT16 || emu::capability() >= 80; }

// The math types that an algorithm has a kernel for, which need not be the one asked for: number 0
// has none for tensor cores, the others have no other in half precision, and bfloat16's are those
// of the default.
bool pairs(int algorithm, const Problem& c, int math) {
  if (c.x.type == HALF) return algorithm == 0 ? math == DEFAULT_MATH || math == FMA : math == TENSOR_OP;
  if (c.x.type == BFLOAT16) return algorithm == 0 ? math == FMA : math == DEFAULT_MATH;
  return math == DEFAULT_MATH || math == FMA;
}

// Channels last, tensor cores' kernels take 16 bytes of channels at once; NVIDIA's pad others aside.
void countUneven(const Problem& c) {
  int many = int(16 / c.x.element());
  bool depthwise = c.c.groups > 1;
  if (c.last && (c.channels % many || c.k % many) && !depthwise) emu::count("uneven channels", 1);
}

int need(Direction d, int algorithm, const Problem& c, size_t* bytes) {
  size_t e = c.x.element();
  countUneven(c);
  if (!computes(c) || !pairs(algorithm, c, c.c.math)) return NOT_SUPPORTED;
  // stands for all that a real cuDNN refuses in 16 bits
  bool dilated = c.c.dilation[0] > 1 || c.c.dilation[1] > 1;
  if (c.x.sixteen() && c.c.groups > 1 && dilated) return NOT_SUPPORTED;
  bool single = c.x.type == FLOAT;
  // single precision, channels last: no Winograd, no GEMM, and no gradient of grouped filters
  if (single && c.last && d == WEIGHTS && c.c.groups > 1) return NOT_SUPPORTED;
  bool plain3x3 = c.r == 3 && c.s == 3 && c.c.stride[0] == 1 && c.c.stride[1] == 1 &&
                  c.c.dilation[0] == 1 && c.c.dilation[1] == 1 && c.c.groups == 1 && e == 4 &&
                  !c.last;
  *bytes = 0;
  if (d == FORWARD) {
    if (algorithm == 0) return OK;
    if (algorithm == 1) *bytes = 256 + size_t(c.outputs()) * 4;
    if (algorithm == 2) *bytes = size_t(c.depth()) * c.outputs() * e;
    if (algorithm == 1 || (algorithm == 2 && c.c.groups == 1 && !(single && c.last))) return OK;
    if (algorithm == 6 && plain3x3) return OK;
  } else if (d == DATA) {
    if (algorithm == 0) return OK;
    if (algorithm == 1) *bytes = 512 + size_t(c.k) * 8;
    if (algorithm == 1 || (algorithm == 4 && plain3x3)) return OK;
  } else {
    if (algorithm == 0) return OK;
    if (algorithm == 1) *bytes = 1024 + size_t(c.w.bytes());
    if (algorithm == 3) *bytes = 4096;
    if (algorithm == 1 || algorithm == 3) return OK;
  }
  return NOT_SUPPORTED;
}

int needChecked(Direction d, int algorithm, const Problem& c, size_t* bytes) {
  int status = need(d, algorithm, c, bytes);
  if (status != OK) emu::say("algorithm %d does not do this convolution", algorithm);
  return status;
}

struct Performance {  // cudnnConvolution*AlgoPerf_t
  int algorithm;
  int status;
  float time;
  size_t memory;
  int determinism;
  int math;
  int reserved[3];
};

int algorithms(Direction d, const Problem& c, int wanted, int* returned, Performance* out,
               size_t limit) {
  if (!check(wanted > 0, "0 results wanted")) return BAD_PARAM;
  if (!emu::host(out, "the results") || !emu::host(returned, "the count")) return NULL_POINTER;
  if (!computes(c)) return NOT_SUPPORTED;  // the count and the results stay as they are
  std::vector<Performance> all;
  for (int pass = 0; pass < 2; pass++)
    for (int algorithm : ranking(d))
      for (int math : {int(TENSOR_OP), int(DEFAULT_MATH), int(FMA)}) {
        // float comes with the math type asked for, and the default with less precise ones too
        if (!c.x.sixteen() && c.c.math != math && (c.c.math == FMA || math == TENSOR_OP)) continue;
        Problem other = c;
        other.c.math = math;
        Performance p = {};
        p.algorithm = algorithm;
        p.status = need(d, algorithm, other, &p.memory);
        if (p.status == OK && p.memory > limit) p.status = HOST_ALLOCATION_FAILED;
        if ((p.status == OK) != (pass == 0)) continue;
        p.time = p.status == OK ? 0.1f * float(all.size() + 1) : -1.0f;
        p.determinism = d != FORWARD && (algorithm == 0 || algorithm == 3) ? 0 : 1;
        p.math = math;
        all.push_back(p);
      }
  *returned = std::min<int>(wanted, int(all.size()));
  std::copy_n(all.begin(), *returned, out);
  return OK;
}

// Row `i` of the column matrix (in the filter's order) and the filter's position in it.
template <typename F>
void rows(const Problem& c, F f) {
  bool last = c.w.strides[1] == 1 && c.r * c.s > 1 && c.group > 1;
  long i = 0;
  if (last) {
    for (long r = 0; r < c.r; r++)
      for (long s = 0; s < c.s; s++)
        for (long g = 0; g < c.group; g++) f(i++, g, r, s);
  } else {
    for (long g = 0; g < c.group; g++)
      for (long r = 0; r < c.r; r++)
        for (long s = 0; s < c.s; s++) f(i++, g, r, s);
  }
}

// Calls f(position in the column row, offset into the image) for the pixels inside the image.
template <typename F>
void pixels(const Problem& c, long r, long s, F f) {
  if (c.c.mode == 0) {
    r = c.r - 1 - r;
    s = c.s - 1 - s;
  }
  for (long p = 0; p < c.p; p++) {
    long y = p * c.c.stride[0] - c.c.pad[0] + r * c.c.dilation[0];
    if (y < 0 || y >= c.height) continue;
    long x = -c.c.pad[1] + s * c.c.dilation[1];
    for (long q = 0; q < c.q; q++, x += c.c.stride[1])
      if (x >= 0 && x < c.width) f(p * c.q + q, y * c.x.strides[2] + x * c.x.strides[3]);
  }
}

template <typename T>
void im2col(const Problem& c, const T* x, T* columns) {
  std::fill_n(columns, c.depth() * c.outputs(), T(0));
  rows(c, [&](long i, long g, long r, long s) {
    T* to = columns + i * c.outputs();
    const T* from = x + g * c.x.strides[1];
    pixels(c, r, s, [&](long at, long offset) { to[at] = from[offset]; });
  });
}

template <typename T>
void col2im(const Problem& c, const T* columns, T* x) {
  rows(c, [&](long i, long g, long r, long s) {
    const T* from = columns + i * c.outputs();
    T* to = x + g * c.x.strides[1];
    pixels(c, r, s, [&](long at, long offset) { to[offset] += from[at]; });
  });
}

bool pointwise(const Problem& c) {
  return c.r == 1 && c.s == 1 && c.c.pad[0] == 0 && c.c.pad[1] == 0 && c.c.stride[0] == 1 &&
         c.c.stride[1] == 1;
}

// Runs f on copies in float of 16-bit tensors; the output comes back rounded.
template <typename T, typename F>
void asFloat(const Problem& c, Direction d, T* x, T* w, T* y, F f) {
  std::vector<float> fx(x, x + c.x.count()), fw(w, w + c.w.count()), fy(y, y + c.y.count());
  f(fx.data(), fw.data(), fy.data());
  auto& from = d == FORWARD ? fy : d == DATA ? fx : fw;
  T* to = d == FORWARD ? y : d == DATA ? x : w;
  for (size_t i = 0; i < from.size(); i++) to[i] = T(from[i]);
}

// Whether tensor cores may round a float's fraction to 10 bits.
bool tf32(const Problem& c) {
  return c.x.type == FLOAT && c.c.math == DEFAULT_MATH && emu::capability() >= 80;
}

std::vector<float> rounded(const float* p, long n) {
  std::vector<float> out(p, p + n);
  for (float& v : out) v = emu::toTf32(v);
  return out;
}

template <typename T>
void scale(T* p, long n, double beta) {
  if (beta == 1) return;
  for (long i = 0; i < n; i++) p[i] = beta == 0 ? T(0) : T(beta * p[i]);
}

template <typename T>
void forward(const Problem& c, double alpha, T* x, T* w, double beta, T* y) {
  std::vector<T> columns(pointwise(c) ? 0 : c.depth() * c.outputs());
  long perGroup = c.k / c.c.groups;
  for (long n = 0; n < c.n; n++)
    for (long g = 0; g < c.c.groups; g++) {
      const T* in = x + n * c.x.strides[0] + g * c.group * c.x.strides[1];
      if (!pointwise(c)) im2col(c, in, columns.data());
      emu::gemm<T>(perGroup, c.outputs(), c.depth(), T(alpha), w + g * perGroup * c.depth(),
                   c.depth(), 1, pointwise(c) ? in : columns.data(),
                   pointwise(c) ? c.x.strides[1] : c.outputs(),
                   pointwise(c) ? c.x.strides[3] : 1, T(beta),
                   y + n * c.y.strides[0] + g * perGroup * c.y.strides[1], c.y.strides[1],
                   c.y.strides[3]);
    }
}

template <typename T>
void backwardData(const Problem& c, double alpha, T* w, T* dy, double beta, T* dx) {
  std::vector<T> columns(c.depth() * c.outputs());
  long perGroup = c.k / c.c.groups;
  scale(dx, c.x.count(), beta);
  for (long n = 0; n < c.n; n++)
    for (long g = 0; g < c.c.groups; g++) {
      emu::gemm<T>(c.depth(), c.outputs(), perGroup, T(alpha), w + g * perGroup * c.depth(), 1,
                   c.depth(), dy + n * c.y.strides[0] + g * perGroup * c.y.strides[1],
                   c.y.strides[1], c.y.strides[3], T(0), columns.data(), c.outputs(), 1);
      col2im(c, columns.data(), dx + n * c.x.strides[0] + g * c.group * c.x.strides[1]);
    }
}

template <typename T>
void backwardWeights(const Problem& c, double alpha, T* x, T* dy, double beta, T* dw) {
  std::vector<T> columns(c.depth() * c.outputs());
  long perGroup = c.k / c.c.groups;
  scale(dw, c.w.count(), beta);
  for (long n = 0; n < c.n; n++)
    for (long g = 0; g < c.c.groups; g++) {
      im2col(c, x + n * c.x.strides[0] + g * c.group * c.x.strides[1], columns.data());
      emu::gemm<T>(perGroup, c.depth(), c.outputs(), T(alpha),
                   dy + n * c.y.strides[0] + g * perGroup * c.y.strides[1], c.y.strides[1],
                   c.y.strides[3], columns.data(), 1, c.outputs(), T(1),
                   dw + g * perGroup * c.depth(), c.depth(), 1);
    }
}

bool apart(const Tensor& a, const void* p, const Tensor& b, const void* q) {
  auto x = reinterpret_cast<uintptr_t>(p), y = reinterpret_cast<uintptr_t>(q);
  return check(x + a.bytes() <= y || y + b.bytes() <= x, "an output overlaps an input");
}

int run(Handle* h, Direction d, const Problem& c, const void* alpha, const void* x, const void* w,
        const void* y, int algorithm, void* space, size_t spaceBytes, const void* beta) {
  size_t bytes;
  if (int status = needChecked(d, algorithm, c, &bytes); status != OK) return status;
  if (!workspace(space, spaceBytes, bytes)) return BAD_PARAM;
  double a, b;
  if (!factor(c.x, alpha, "alpha", &a) || !factor(c.x, beta, "beta", &b)) return NULL_POINTER;
  if (!memory(c.x, x, d == DATA ? "dx" : "x") || !memory(c.w, w, d == WEIGHTS ? "dw" : "w") ||
      !memory(c.y, y, d == FORWARD ? "y" : "dy"))
    return BAD_PARAM;
  if (d == FORWARD && !(apart(c.x, x, c.y, y) && apart(c.w, w, c.y, y))) return BAD_PARAM;
  if (d == DATA && !(apart(c.y, y, c.x, x) && apart(c.w, w, c.x, x))) return BAD_PARAM;
  if (d == WEIGHTS && !(apart(c.x, x, c.w, w) && apart(c.y, y, c.w, w))) return BAD_PARAM;
  std::vector<emu::Range> ranges = {span(c.x, x), span(c.w, w), span(c.y, y)};
  if (bytes > 0) ranges.push_back(emu::range(space, bytes));
  return typedAll(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    auto* px = static_cast<T*>(const_cast<void*>(x));
    auto* pw = static_cast<T*>(const_cast<void*>(w));
    auto* py = static_cast<T*>(const_cast<void*>(y));
    return submit(
        h,
        [=] {
          if (bytes > 0) emu::garbage(space, bytes);
          auto compute = [=](auto* qx, auto* qw, auto* qy) {
            if (d == FORWARD) forward(c, a, qx, qw, b, qy);
            if (d == DATA) backwardData(c, a, qw, qy, b, qx);
            if (d == WEIGHTS) backwardWeights(c, a, qx, qy, b, qw);
          };
          if constexpr (sizeof(T) == 2) {
            asFloat(c, d, px, pw, py, compute);
          } else if constexpr (sizeof(T) == 4) {
            if (!tf32(c)) return compute(px, pw, py);
            auto rx = d == DATA ? std::vector<float>() : rounded(px, c.x.count());
            auto rw = d == WEIGHTS ? std::vector<float>() : rounded(pw, c.w.count());
            auto ry = d == FORWARD ? std::vector<float>() : rounded(py, c.y.count());
            compute(d == DATA ? px : rx.data(), d == WEIGHTS ? pw : rw.data(),
                    d == FORWARD ? py : ry.data());
          } else {
            compute(px, pw, py);
          }
        },
        ranges);
  });
}

}  // namespace

namespace dnn {

std::vector<float> convolved(const Tensor& x, const Tensor& w, const Tensor& y, const Geometry& c,
                             bool tf32, const void* px, const void* pw) {
  Problem p = {};
  p.x = x, p.y = y, p.w = w;
  std::copy_n(c.pad, 2, p.c.pad);
  std::copy_n(c.stride, 2, p.c.stride);
  std::copy_n(c.dilation, 2, p.c.dilation);
  p.c.mode = c.mode, p.c.groups = c.groups;
  p.n = x.dims[0], p.channels = x.dims[1], p.height = x.dims[2], p.width = x.dims[3];
  p.k = w.dims[0], p.group = w.dims[1], p.r = w.dims[2], p.s = w.dims[3];
  p.p = y.dims[2], p.q = y.dims[3];
  p.last = !x.nchw();
  countUneven(p);
  auto floats = [&](const Tensor& t, const void* from) {
    std::vector<float> out(t.count());
    typedAll(t, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      std::copy_n(static_cast<const T*>(from), t.count(), out.begin());
      return 0;
    });
    return tf32 ? rounded(out.data(), t.count()) : out;
  };
  std::vector<float> fx = floats(x, px), fw = floats(w, pw), fy(y.count());
  forward(p, 1, fx.data(), fw.data(), 0, fy.data());
  return fy;
}

}  // namespace dnn

extern "C" {

int cudnnCreateConvolutionDescriptor(void** out) {
  EMU_API(cudnnCreateConvolutionDescriptor, HOST_ALLOCATION_FAILED);
  *out = new Convolution;
  emu::born(*out, "convolution descriptor");
  return OK;
}

int cudnnDestroyConvolutionDescriptor(void* raw) {
  EMU_API(cudnnDestroyConvolutionDescriptor, INTERNAL_ERROR);
  return raw == nullptr || emu::dies(raw, "convolution descriptor") ? OK : BAD_PARAM;
}

static int set(void* raw, const int* pad, const int* stride, const int* dilation, int mode,
               int compute) {
  if (!emu::lives(raw, "convolution descriptor")) return BAD_PARAM;
  if (!check(mode == 0 || mode == 1, "not a convolution mode")) return BAD_PARAM;
  for (int i = 0; i < 2; i++)
    if (!check(pad[i] >= 0 && stride[i] > 0 && dilation[i] > 0,
               "padding below 0, or stride or dilation below 1"))
      return BAD_PARAM;
  auto* c = static_cast<Convolution*>(raw);
  c->set = true;
  std::copy_n(pad, 2, c->pad);
  std::copy_n(stride, 2, c->stride);
  std::copy_n(dilation, 2, c->dilation);
  c->mode = mode;
  c->compute = compute;
  return OK;
}

int cudnnSetConvolution2dDescriptor(void* raw, int padH, int padW, int u, int v, int dH, int dW,
                                    int mode, int compute) {
  EMU_API(cudnnSetConvolution2dDescriptor, INTERNAL_ERROR);
  int pad[] = {padH, padW}, stride[] = {u, v}, dilation[] = {dH, dW};
  return set(raw, pad, stride, dilation, mode, compute);
}

int cudnnSetConvolutionNdDescriptor(void* raw, int n, const int* pad, const int* stride,
                                    const int* dilation, int mode, int compute) {
  EMU_API(cudnnSetConvolutionNdDescriptor, INTERNAL_ERROR);
  if (!check(n == 2, "only 2-d convolutions are emulated")) return NOT_SUPPORTED;
  return set(raw, pad, stride, dilation, mode, compute);
}

int cudnnSetConvolutionGroupCount(void* raw, int groups) {
  EMU_API(cudnnSetConvolutionGroupCount, INTERNAL_ERROR);
  if (!emu::lives(raw, "convolution descriptor") || !check(groups > 0, "0 groups"))
    return BAD_PARAM;
  static_cast<Convolution*>(raw)->groups = groups;
  return OK;
}

int cudnnGetConvolutionGroupCount(void* raw, int* groups) {
  EMU_API(cudnnGetConvolutionGroupCount, INTERNAL_ERROR);
  if (!emu::lives(raw, "convolution descriptor")) return BAD_PARAM;
  *groups = static_cast<Convolution*>(raw)->groups;
  return OK;
}

int cudnnSetConvolutionMathType(void* raw, int math) {
  EMU_API(cudnnSetConvolutionMathType, INTERNAL_ERROR);
  if (!emu::lives(raw, "convolution descriptor") || !check(math >= 0 && math <= 3, "no math type"))
    return BAD_PARAM;
  static_cast<Convolution*>(raw)->math = math;
  return OK;
}

int cudnnGetConvolutionMathType(void* raw, int* math) {
  EMU_API(cudnnGetConvolutionMathType, INTERNAL_ERROR);
  if (!emu::lives(raw, "convolution descriptor")) return BAD_PARAM;
  *math = static_cast<Convolution*>(raw)->math;
  return OK;
}

int cudnnSetConvolutionReorderType(void* raw, int) {
  EMU_API(cudnnSetConvolutionReorderType, INTERNAL_ERROR);
  return emu::lives(raw, "convolution descriptor") ? OK : BAD_PARAM;
}

int cudnnGetConvolution2dForwardOutputDim(void* convDesc, void* xDesc, void* wDesc, int* n, int* c,
                                          int* h, int* w) {
  EMU_API(cudnnGetConvolution2dForwardOutputDim, INTERNAL_ERROR);
  const Convolution* conv = convolution(convDesc);
  const Tensor* x = tensor(xDesc, "x");
  const Filter* f = filter(wDesc, "w");
  if (!conv || !x || !f || x->n != 4 || f->n != 4) return BAD_PARAM;
  if (!check(x->dims[1] == f->dims[1] * conv->groups, "channels of x and w do not fit"))
    return BAD_PARAM;
  *n = int(x->dims[0]);
  *c = int(f->dims[0]);
  *h = int(outSize(x->dims[2], conv->pad[0], f->dims[2], conv->stride[0], conv->dilation[0]));
  *w = int(outSize(x->dims[3], conv->pad[1], f->dims[3], conv->stride[1], conv->dilation[1]));
  return *h > 0 && *w > 0 ? OK : BAD_PARAM;
}

int cudnnGetConvolutionForwardAlgorithmMaxCount(void*, int* n) { return *n = 8, OK; }
int cudnnGetConvolutionBackwardDataAlgorithmMaxCount(void*, int* n) { return *n = 6, OK; }
int cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(void*, int* n) { return *n = 6, OK; }

// ---- forward

int cudnnGetConvolutionForwardAlgorithm_v7(void* raw, void* x, void* w, void* conv, void* y,
                                           int wanted, int* returned, void* out) {
  DNN_API(cudnnGetConvolutionForwardAlgorithm_v7);
  Problem c;
  if (int status = problem(x, w, conv, y, &c); status != OK) return status;
  return algorithms(FORWARD, c, wanted, returned, static_cast<Performance*>(out), SIZE_MAX);
}

int cudnnFindConvolutionForwardAlgorithmEx(void* raw, void* xDesc, const void* x, void* wDesc,
                                           const void* w, void* conv, void* yDesc, void* y,
                                           int wanted, int* returned, void* out, void* space,
                                           size_t bytes) {
  DNN_API(cudnnFindConvolutionForwardAlgorithmEx);
  Problem c;
  if (int status = problem(xDesc, wDesc, conv, yDesc, &c); status != OK) return status;
  if (!memory(c.x, x, "x") || !memory(c.w, w, "w") || !memory(c.y, y, "y") ||
      (bytes > 0 && !workspace(space, bytes, bytes)))
    return BAD_PARAM;
  if (emu::capturing(h->stream)) return EXECUTION_FAILED;
  emu::drain(emu::stream(h->stream));
  emu::garbage(y, c.y.bytes());
  return algorithms(FORWARD, c, wanted, returned, static_cast<Performance*>(out), bytes);
}

int cudnnGetConvolutionForwardWorkspaceSize(void* raw, void* x, void* w, void* conv, void* y,
                                            int algorithm, size_t* bytes) {
  DNN_API(cudnnGetConvolutionForwardWorkspaceSize);
  Problem c;
  if (int status = problem(x, w, conv, y, &c); status != OK) return status;
  return need(FORWARD, algorithm, c, bytes);
}

int cudnnConvolutionForward(void* raw, const void* alpha, void* xDesc, const void* x, void* wDesc,
                            const void* w, void* conv, int algorithm, void* space, size_t bytes,
                            const void* beta, void* yDesc, void* y) {
  DNN_API(cudnnConvolutionForward);
  Problem c;
  if (int status = problem(xDesc, wDesc, conv, yDesc, &c); status != OK) return status;
  return run(h, FORWARD, c, alpha, x, w, y, algorithm, space, bytes, beta);
}

int cudnnConvolutionBiasActivationForward(void* raw, const void* alpha1, void* xDesc, const void* x,
                                          void* wDesc, const void* w, void* conv, int algorithm,
                                          void* space, size_t bytes, const void* alpha2,
                                          void* zDesc, const void* z, void* biasDesc,
                                          const void* bias, void* actDesc, void* yDesc, void* y) {
  DNN_API(cudnnConvolutionBiasActivationForward);
  Problem c;
  if (int status = problem(xDesc, wDesc, conv, yDesc, &c); status != OK) return status;
  const Tensor *zt = tensor(zDesc, "z"), *bt = tensor(biasDesc, "the bias");
  const Activation* act = activation(actDesc);
  if (!zt || !bt || !act) return BAD_PARAM;
  if (act->mode != 1 && act->mode != 5) {
    emu::say("activation %d: only ReLU and identity are possible", act->mode);
    return NOT_SUPPORTED;
  }
  if (act->mode == 5 && algorithm != 1) {
    emu::say("identity needs algorithm IMPLICIT_PRECOMP_GEMM, not %d", algorithm);
    return NOT_SUPPORTED;
  }
  if (c.x.sixteen() && (act->propagates || c.c.groups > 1)) {
    emu::say("in 16 bits only ungrouped convolutions are fused, and only with what drops NaN");
    return NOT_SUPPORTED;
  }
  if (!check(zt->sameLayout(c.y) && zt->type == c.y.type, "z and y differ")) return BAD_PARAM;
  if (!check(bt->n == 4 && bt->type == c.y.type && bt->dims[0] == 1 && bt->dims[1] == c.k &&
                 bt->dims[2] == 1 && bt->dims[3] == 1,
             "the bias is not 1 x K x 1 x 1"))
    return BAD_PARAM;
  size_t needed;
  if (int status = needChecked(FORWARD, algorithm, c, &needed); status != OK) return status;
  double a1, a2;
  if (!factor(c.x, alpha1, "alpha1", &a1) || !factor(c.x, alpha2, "alpha2", &a2))
    return NULL_POINTER;
  if (!workspace(space, bytes, needed) || !memory(c.x, x, "x") || !memory(c.w, w, "w") ||
      !memory(c.y, y, "y") || !memory(*bt, bias, "the bias") || !memory(c.y, z, "z") ||
      !apart(c.x, x, c.y, y) || !apart(c.w, w, c.y, y))
    return BAD_PARAM;
  std::vector<emu::Range> ranges = {span(c.x, x), span(c.w, w), span(c.y, y), span(*bt, bias),
                                    span(c.y, z)};
  Tensor biasTensor = *bt;
  bool relu = act->mode == 1, propagates = act->propagates;
  return typedAll(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          if (needed > 0) emu::garbage(space, needed);
          if (z != y && a2 != 0) memcpy(y, z, c.y.bytes());
          auto compute = [&](auto* px, auto* pw, auto* out) {
            using U = std::remove_pointer_t<decltype(out)>;
            std::vector<float> rx, rw;
            if constexpr (sizeof(U) == 4 && sizeof(T) == 4) {
              if (tf32(c)) {
                rx = rounded(px, c.x.count());
                rw = rounded(pw, c.w.count());
                px = rx.data();
                pw = rw.data();
              }
            }
            forward(c, a1, px, pw, a2, out);
            each(c.y, c.y, biasTensor, c.y, [&](long i, long j, long) {
              U v = out[i] + U(static_cast<const T*>(bias)[j]);
              bool keep = !relu || v > U(0) || (propagates && v != v);
              out[i] = keep ? v : U(0);
            });
          };
          auto* px = static_cast<T*>(const_cast<void*>(x));
          auto* pw = static_cast<T*>(const_cast<void*>(w));
          auto* py = static_cast<T*>(y);
          if constexpr (sizeof(T) == 2)
            asFloat(c, FORWARD, px, pw, py, compute);
          else
            compute(px, pw, py);
        },
        ranges);
  });
}

// ---- gradient by the data

int cudnnGetConvolutionBackwardDataAlgorithm_v7(void* raw, void* w, void* dy, void* conv, void* dx,
                                                int wanted, int* returned, void* out) {
  DNN_API(cudnnGetConvolutionBackwardDataAlgorithm_v7);
  Problem c;
  if (int status = problem(dx, w, conv, dy, &c); status != OK) return status;
  return algorithms(DATA, c, wanted, returned, static_cast<Performance*>(out), SIZE_MAX);
}

int cudnnFindConvolutionBackwardDataAlgorithmEx(void* raw, void* wDesc, const void* w, void* dyDesc,
                                                const void* dy, void* conv, void* dxDesc, void* dx,
                                                int wanted, int* returned, void* out, void* space,
                                                size_t bytes) {
  DNN_API(cudnnFindConvolutionBackwardDataAlgorithmEx);
  Problem c;
  if (int status = problem(dxDesc, wDesc, conv, dyDesc, &c); status != OK) return status;
  if (!memory(c.x, dx, "dx") || !memory(c.w, w, "w") || !memory(c.y, dy, "dy") ||
      (bytes > 0 && !workspace(space, bytes, bytes)))
    return BAD_PARAM;
  if (emu::capturing(h->stream)) return EXECUTION_FAILED;
  emu::drain(emu::stream(h->stream));
  emu::garbage(dx, c.x.bytes());
  return algorithms(DATA, c, wanted, returned, static_cast<Performance*>(out), bytes);
}

int cudnnGetConvolutionBackwardDataWorkspaceSize(void* raw, void* w, void* dy, void* conv, void* dx,
                                                 int algorithm, size_t* bytes) {
  DNN_API(cudnnGetConvolutionBackwardDataWorkspaceSize);
  Problem c;
  if (int status = problem(dx, w, conv, dy, &c); status != OK) return status;
  return need(DATA, algorithm, c, bytes);
}

int cudnnConvolutionBackwardData(void* raw, const void* alpha, void* wDesc, const void* w,
                                 void* dyDesc, const void* dy, void* conv, int algorithm,
                                 void* space, size_t bytes, const void* beta, void* dxDesc,
                                 void* dx) {
  DNN_API(cudnnConvolutionBackwardData);
  Problem c;
  if (int status = problem(dxDesc, wDesc, conv, dyDesc, &c); status != OK) return status;
  return run(h, DATA, c, alpha, dx, w, dy, algorithm, space, bytes, beta);
}

// ---- gradient by the weights

int cudnnGetConvolutionBackwardFilterAlgorithm_v7(void* raw, void* x, void* dy, void* conv,
                                                  void* dw, int wanted, int* returned, void* out) {
  DNN_API(cudnnGetConvolutionBackwardFilterAlgorithm_v7);
  Problem c;
  if (int status = problem(x, dw, conv, dy, &c); status != OK) return status;
  return algorithms(WEIGHTS, c, wanted, returned, static_cast<Performance*>(out), SIZE_MAX);
}

int cudnnFindConvolutionBackwardFilterAlgorithmEx(void* raw, void* xDesc, const void* x,
                                                  void* dyDesc, const void* dy, void* conv,
                                                  void* dwDesc, void* dw, int wanted, int* returned,
                                                  void* out, void* space, size_t bytes) {
  DNN_API(cudnnFindConvolutionBackwardFilterAlgorithmEx);
  Problem c;
  if (int status = problem(xDesc, dwDesc, conv, dyDesc, &c); status != OK) return status;
  if (!memory(c.x, x, "x") || !memory(c.w, dw, "dw") || !memory(c.y, dy, "dy") ||
      (bytes > 0 && !workspace(space, bytes, bytes)))
    return BAD_PARAM;
  if (emu::capturing(h->stream)) return EXECUTION_FAILED;
  emu::drain(emu::stream(h->stream));
  emu::garbage(dw, c.w.bytes());
  return algorithms(WEIGHTS, c, wanted, returned, static_cast<Performance*>(out), bytes);
}

int cudnnGetConvolutionBackwardFilterWorkspaceSize(void* raw, void* x, void* dy, void* conv,
                                                   void* dw, int algorithm, size_t* bytes) {
  DNN_API(cudnnGetConvolutionBackwardFilterWorkspaceSize);
  Problem c;
  if (int status = problem(x, dw, conv, dy, &c); status != OK) return status;
  return need(WEIGHTS, algorithm, c, bytes);
}

int cudnnConvolutionBackwardFilter(void* raw, const void* alpha, void* xDesc, const void* x,
                                   void* dyDesc, const void* dy, void* conv, int algorithm,
                                   void* space, size_t bytes, const void* beta, void* dwDesc,
                                   void* dw) {
  DNN_API(cudnnConvolutionBackwardFilter);
  Problem c;
  if (int status = problem(xDesc, dwDesc, conv, dyDesc, &c); status != OK) return status;
  return run(h, WEIGHTS, c, alpha, x, dw, dy, algorithm, space, bytes, beta);
}

int cudnnConvolutionBackwardBias(void* raw, const void* alpha, void* dyDesc, const void* dy,
                                 const void* beta, void* dbDesc, void* db) {
  DNN_API(cudnnConvolutionBackwardBias);
  const Tensor *y = tensor(dyDesc, "dy"), *b = tensor(dbDesc, "db");
  if (!y || !b) return BAD_PARAM;
  if (!real(*y)) return NOT_SUPPORTED;
  bool shape = b->n == y->n && b->type == y->type && b->dims[0] == 1 && b->dims[1] == y->dims[1];
  for (int i = 2; shape && i < b->n; i++) shape = b->dims[i] == 1;
  if (!check(shape, "db is not 1 x C x 1 x 1 of dy")) return BAD_PARAM;
  double s, t;
  if (!factor(*y, alpha, "alpha", &s) || !factor(*y, beta, "beta", &t)) return NULL_POINTER;
  if (!memory(*y, dy, "dy") || !memory(*b, db, "db")) return BAD_PARAM;
  Tensor yt = *y, bt = *b;
  return typed(yt, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return submit(
        h,
        [=] {
          std::vector<double> sums(yt.dims[1]);
          Tensor index = bt;  // dense vector over C
          index.strides[1] = 1;
          each(yt, yt, index, yt,
               [&](long i, long c, long) { sums[c] += static_cast<const T*>(dy)[i]; });
          for (long c = 0; c < yt.dims[1]; c++)
            blend(static_cast<T*>(db) + c * bt.strides[1], s, sums[c], t);
        },
        {span(yt, dy), span(bt, db)});
  });
}
}
