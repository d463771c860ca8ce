// cuDNN 9: batch normalisation.
#include "cudnn.h"

using namespace dnn;

namespace {

enum { PER_ACTIVATION = 0, SPATIAL = 1, PERSISTENT = 2 };

Tensor derived(const Tensor& x, int mode) {
  Tensor t;
  t.type = x.sixteen() ? int(FLOAT) : x.type;
  t.n = x.n;
  long stride = 1;
  for (int i = x.n - 1; i >= 0; i--) {
    t.dims[i] = i == 0 || (mode != PER_ACTIVATION && i >= 2) ? 1 : x.dims[i];
    t.strides[i] = stride;
    stride *= t.dims[i];
  }
  return t;
}

struct Problem {
  Tensor x, param;
  double alpha, beta;
  long perParam() const { return x.count() / param.count(); }
};

int problem(int mode, const void* alpha, const void* beta, void* xDesc, void* yDesc, void* bnDesc,
            double epsilon, Problem* out) {
  const Tensor *x = tensor(xDesc, "x"), *y = tensor(yDesc, "y"), *b = tensor(bnDesc, "the scale");
  if (!x || !y || !b) return BAD_PARAM;
  if (!check(mode >= 0 && mode <= 2, "not a batch norm mode")) return BAD_PARAM;
  if (!floating(*x)) return NOT_SUPPORTED;
  if (!check(x->n == 4 || x->n == 5, "neither 4 nor 5 dimensions")) return BAD_PARAM;
  if (!check(x->type == y->type && x->sameLayout(*y), "x and y differ in shape, type or layout"))
    return BAD_PARAM;
  Tensor want = derived(*x, mode);
  if (!check(b->type == want.type && b->sameLayout(want),
             "the descriptor of scale and bias is not what cudnnDeriveBNTensorDescriptor gives"))
    return BAD_PARAM;
  if (!check(epsilon >= 0, "epsilon below CUDNN_BN_MIN_EPSILON")) return BAD_PARAM;
  *out = Problem{*x, want, 0, 0};
  return factor(*x, alpha, "alpha", &out->alpha) && factor(*x, beta, "beta", &out->beta)
             ? OK
             : NULL_POINTER;
}

bool params(const Problem& c, std::initializer_list<std::pair<const void*, const char*>> all) {
  for (auto& [p, what] : all)
    if (!memory(c.param, p, what)) return false;
  return true;
}

void remember(std::vector<emu::Range>* ranges, const Tensor& t,
              std::initializer_list<const void*> all) {
  for (const void* p : all)
    if (p) ranges->push_back(span(t, p));
}

template <typename T>
void statistics(const Problem& c, const T* x, std::vector<double>* mean,
                std::vector<double>* variance) {
  mean->assign(c.param.count(), 0);
  variance->assign(c.param.count(), 0);
  double n = double(c.perParam());
  each(c.x, c.x, c.param, c.x, [&](long i, long j, long) { (*mean)[j] += x[i]; });
  for (double& m : *mean) m /= n;
  each(c.x, c.x, c.param, c.x, [&](long i, long j, long) {
    double d = x[i] - (*mean)[j];
    (*variance)[j] += d * d;
  });
  for (double& v : *variance) v /= n;
}

int training(Handle* h, const Problem& c, const void* x, void* y, const void* scale,
             const void* bias, double momentum, void* runMean, void* runVar, double epsilon,
             void* savedMean, void* savedInv, bool relu = false) {
  if (!memory(c.x, x, "x") || !memory(c.x, y, "y") ||
      !params(c, {{scale, "the scale"}, {bias, "the bias"}}))
    return BAD_PARAM;
  if (!check((runMean == nullptr) == (runVar == nullptr), "one of the running statistics is null") ||
      !check((savedMean == nullptr) == (savedInv == nullptr), "one of the saved statistics is null"))
    return BAD_PARAM;
  if (runMean && !params(c, {{runMean, "the running mean"}, {runVar, "the running variance"}}))
    return BAD_PARAM;
  if (savedMean && !params(c, {{savedMean, "the saved mean"}, {savedInv, "the saved deviation"}}))
    return BAD_PARAM;
  std::vector<emu::Range> ranges = {span(c.x, x), span(c.x, y)};
  remember(&ranges, c.param, {scale, bias, runMean, runVar, savedMean, savedInv});
  return typedAll(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    using P = Parameter<T>;
    return submit(
        h,
        [=] {
          std::vector<double> mean, variance;
          auto* in = static_cast<const T*>(x);
          auto* out = static_cast<T*>(y);
          statistics(c, in, &mean, &variance);
          double n = double(c.perParam());
          std::vector<double> factor(mean.size()), shift(mean.size());
          for (size_t j = 0; j < mean.size(); j++) {
            double inverse = 1 / std::sqrt(variance[j] + epsilon);
            if (savedMean) {
              static_cast<P*>(savedMean)[j] = P(mean[j]);
              static_cast<P*>(savedInv)[j] = P(inverse);
            }
            if (runMean) {
              P &m = static_cast<P*>(runMean)[j], &v = static_cast<P*>(runVar)[j];
              double unbiased = n > 1 ? variance[j] * n / (n - 1) : variance[j];
              // factor 1 sets: what was there before is not read
              m = P(momentum * mean[j] + (momentum == 1 ? 0 : (1 - momentum) * m));
              v = P(momentum * unbiased + (momentum == 1 ? 0 : (1 - momentum) * v));
            }
            factor[j] = inverse * static_cast<const P*>(scale)[j];
            shift[j] = static_cast<const P*>(bias)[j] - mean[j] * factor[j];
          }
          each(c.x, c.x, c.param, c.x, [&](long i, long j, long) {
            double v = in[i] * factor[j] + shift[j];
            blend(out + i, c.alpha, relu && v < 0 ? 0 : v, c.beta);
          });
        },
        ranges);
  });
}

int backward(Handle* h, const Problem& c, const void* alphaParam, const void* betaParam,
             const void* x, const void* dy, void* dx, const void* scale, void* dscale, void* dbias,
             double epsilon, const void* savedMean, const void* savedInv,
             const void* open = nullptr) {
  double ap, bp;
  if (!factor(c.x, alphaParam, "the parameters' alpha", &ap) ||
      !factor(c.x, betaParam, "the parameters' beta", &bp))
    return NULL_POINTER;
  if (!memory(c.x, x, "x") || !memory(c.x, dy, "dy") || !memory(c.x, dx, "dx") ||
      !params(c, {{scale, "the scale"}, {dscale, "dscale"}, {dbias, "dbias"}}))
    return BAD_PARAM;
  if (!check((savedMean == nullptr) == (savedInv == nullptr), "one of the saved statistics is null"))
    return BAD_PARAM;
  if (savedMean && !params(c, {{savedMean, "the saved mean"}, {savedInv, "the saved deviation"}}))
    return BAD_PARAM;
  std::vector<emu::Range> ranges = {span(c.x, x), span(c.x, dy), span(c.x, dx)};
  remember(&ranges, c.param, {scale, dscale, dbias, savedMean, savedInv});
  return typedAll(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    using P = Parameter<T>;
    return submit(
        h,
        [=] {
          std::vector<double> mean, inverse;
          auto* in = static_cast<const T*>(x);
          auto* grad = static_cast<const T*>(dy);
          auto* out = static_cast<T*>(dx);
          if (savedMean) {
            long k = c.param.count();
            mean.assign(static_cast<const P*>(savedMean), static_cast<const P*>(savedMean) + k);
            inverse.assign(static_cast<const P*>(savedInv), static_cast<const P*>(savedInv) + k);
          } else {
            statistics(c, in, &mean, &inverse);
            for (double& v : inverse) v = 1 / std::sqrt(v + epsilon);
          }
          std::vector<double> sum(mean.size()), dot(mean.size());
          auto passed = [&](long i) {  // through the activation
            return open && !(static_cast<const T*>(open)[i] > 0) ? 0.0 : double(grad[i]);
          };
          each(c.x, c.x, c.param, c.x, [&](long i, long j, long) {
            sum[j] += passed(i);
            dot[j] += passed(i) * (in[i] - mean[j]) * inverse[j];
          });
          double n = double(c.perParam());
          each(c.x, c.x, c.param, c.x, [&](long i, long j, long) {
            double normal = (in[i] - mean[j]) * inverse[j];
            double d = static_cast<const P*>(scale)[j] * inverse[j] *
                       (passed(i) - sum[j] / n - normal * dot[j] / n);
            blend(out + i, c.alpha, d, c.beta);
          });
          for (size_t j = 0; j < mean.size(); j++) {
            blend(static_cast<P*>(dscale) + j, ap, dot[j], bp);
            blend(static_cast<P*>(dbias) + j, ap, sum[j], bp);
          }
        },
        ranges);
  });
}

size_t forwardWorkspace(const Problem& c) { return 1024 + 16 * size_t(c.param.count()); }
size_t backwardWorkspace(const Problem& c) { return 2048 + 16 * size_t(c.param.count()); }
size_t reserveSize(const Tensor& x, int mode) { return mode == PERSISTENT ? 512 + x.dims[1] * 4 : 0; }

// Batch norm with an activation is done by the semi-persistent kernel only: NHWC, its mode, half,
// and since 9.5 bfloat16 and float.
int fused(int mode, int ops, void* xDesc, void* actDesc) {
  if (ops == 0) return OK;
  if (ops != 1) {
    emu::say("bnOps %d is not emulated", ops);
    return ops == 2 ? NOT_SUPPORTED : BAD_PARAM;
  }
  const Tensor* x = tensor(xDesc, "x");
  const Activation* act = activation(actDesc);
  if (!x || !act) return BAD_PARAM;
  bool typed = x->type == HALF || (emu::cudnnVersion() >= 90500 && x->type != DOUBLE);
  if (!typed || !x->nhwc() || mode != PERSISTENT || act->mode != 1) {
    emu::say("batch norm with an activation takes half (since 9.5 bfloat16 and float), NHWC, "
        "the persistent mode and ReLU only");
    return NOT_SUPPORTED;
  }
  return OK;
}

int shapes(int mode, void* xDesc, void* yDesc, void* bnDesc, Problem* out) {
  float one = 1;
  double oneDouble = 1;
  const Tensor* x = tensor(xDesc, "x");
  if (!x) return BAD_PARAM;
  const void* p = x->type == DOUBLE ? static_cast<void*>(&oneDouble) : &one;
  return problem(mode, p, p, xDesc, yDesc, bnDesc, 1, out);
}

}  // namespace

extern "C" {

int cudnnDeriveBNTensorDescriptor(void* derivedDesc, void* xDesc, int mode) {
  EMU_API(cudnnDeriveBNTensorDescriptor, INTERNAL_ERROR);
  const Tensor* x = tensor(xDesc, "x");
  if (!x || !emu::lives(derivedDesc, "tensor descriptor")) return BAD_PARAM;
  if (!check(mode >= 0 && mode <= 2, "not a batch norm mode")) return BAD_PARAM;
  *static_cast<Tensor*>(derivedDesc) = derived(*x, mode);
  return OK;
}

int cudnnBatchNormalizationForwardInference(void* raw, int mode, const void* alpha,
                                            const void* beta, void* xDesc, const void* x,
                                            void* yDesc, void* y, void* bnDesc, const void* scale,
                                            const void* bias, const void* mean,
                                            const void* variance, double epsilon) {
  DNN_API(cudnnBatchNormalizationForwardInference);
  Problem c;
  if (int status = problem(mode, alpha, beta, xDesc, yDesc, bnDesc, epsilon, &c); status != OK)
    return status;
  if (!memory(c.x, x, "x") || !memory(c.x, y, "y") ||
      !params(c, {{scale, "the scale"}, {bias, "the bias"}, {mean, "the mean"},
                  {variance, "the variance"}}))
    return BAD_PARAM;
  std::vector<emu::Range> ranges = {span(c.x, x), span(c.x, y)};
  remember(&ranges, c.param, {scale, bias, mean, variance});
  return typedAll(c.x, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    using P = Parameter<T>;
    return submit(
        h,
        [=] {
          long k = c.param.count();
          std::vector<double> factor(k), shift(k);
          for (long j = 0; j < k; j++) {
            factor[j] = static_cast<const P*>(scale)[j] /
                        std::sqrt(static_cast<const P*>(variance)[j] + epsilon);
            shift[j] = static_cast<const P*>(bias)[j] - static_cast<const P*>(mean)[j] * factor[j];
          }
          auto* in = static_cast<const T*>(x);
          auto* out = static_cast<T*>(y);
          each(c.x, c.x, c.param, c.x, [&](long i, long j, long) {
            blend(out + i, c.alpha, in[i] * factor[j] + shift[j], c.beta);
          });
        },
        ranges);
  });
}

int cudnnBatchNormalizationForwardTraining(void* raw, int mode, const void* alpha, const void* beta,
                                           void* xDesc, const void* x, void* yDesc, void* y,
                                           void* bnDesc, const void* scale, const void* bias,
                                           double momentum, void* runMean, void* runVar,
                                           double epsilon, void* savedMean, void* savedInv) {
  DNN_API(cudnnBatchNormalizationForwardTraining);
  Problem c;
  if (int status = problem(mode, alpha, beta, xDesc, yDesc, bnDesc, epsilon, &c); status != OK)
    return status;
  return training(h, c, x, y, scale, bias, momentum, runMean, runVar, epsilon, savedMean, savedInv);
}

int cudnnBatchNormalizationBackward(void* raw, int mode, const void* alpha, const void* beta,
                                    const void* alphaParam, const void* betaParam, void* xDesc,
                                    const void* x, void* dyDesc, const void* dy, void* dxDesc,
                                    void* dx, void* bnDesc, const void* scale, void* dscale,
                                    void* dbias, double epsilon, const void* savedMean,
                                    const void* savedInv) {
  DNN_API(cudnnBatchNormalizationBackward);
  Problem c;
  if (int status = problem(mode, alpha, beta, xDesc, dyDesc, bnDesc, epsilon, &c); status != OK)
    return status;
  const Tensor* d = tensor(dxDesc, "dx");
  if (!d || !check(d->sameLayout(c.x), "dx and x differ")) return BAD_PARAM;
  return backward(h, c, alphaParam, betaParam, x, dy, dx, scale, dscale, dbias, epsilon, savedMean,
                  savedInv);
}

int cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(void* raw, int mode, int ops,
                                                             void* xDesc, void*, void* yDesc,
                                                             void* bnDesc, void* act,
                                                             size_t* bytes) {
  DNN_API(cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize);
  Problem c;
  if (int status = fused(mode, ops, xDesc, act); status != OK) return status;
  if (int status = shapes(mode, xDesc, yDesc, bnDesc, &c); status != OK) return status;
  *bytes = forwardWorkspace(c);
  return OK;
}

int cudnnGetBatchNormalizationBackwardExWorkspaceSize(void* raw, int mode, int ops, void* xDesc,
                                                      void*, void* dyDesc, void*, void*,
                                                      void* bnDesc, void* act, size_t* bytes) {
  DNN_API(cudnnGetBatchNormalizationBackwardExWorkspaceSize);
  Problem c;
  if (int status = fused(mode, ops, xDesc, act); status != OK) return status;
  if (int status = shapes(mode, xDesc, dyDesc, bnDesc, &c); status != OK) return status;
  *bytes = backwardWorkspace(c);
  return OK;
}

int cudnnGetBatchNormalizationTrainingExReserveSpaceSize(void* raw, int mode, int ops, void* act,
                                                         void* xDesc, size_t* bytes) {
  DNN_API(cudnnGetBatchNormalizationTrainingExReserveSpaceSize);
  if (int status = fused(mode, ops, xDesc, act); status != OK) return status;
  const Tensor* x = tensor(xDesc, "x");
  if (!x) return BAD_PARAM;
  *bytes = reserveSize(*x, mode);
  return OK;
}

int cudnnBatchNormalizationForwardTrainingEx(
    void* raw, int mode, int ops, const void* alpha, const void* beta, void* xDesc, const void* x,
    void*, const void*, void* yDesc, void* y, void* bnDesc, const void* scale, const void* bias,
    double momentum, void* runMean, void* runVar, double epsilon, void* savedMean, void* savedInv,
    void* act, void* space, size_t bytes, void* reserve, size_t reserveBytes) {
  DNN_API(cudnnBatchNormalizationForwardTrainingEx);
  Problem c;
  if (int status = fused(mode, ops, xDesc, act); status != OK) return status;
  if (int status = problem(mode, alpha, beta, xDesc, yDesc, bnDesc, epsilon, &c); status != OK)
    return status;
  size_t needReserve = reserveSize(c.x, mode);
  if (!workspace(space, bytes, forwardWorkspace(c)) || !workspace(reserve, reserveBytes, needReserve))
    return BAD_PARAM;
  submit(h,
         [=] {
           emu::garbage(space, bytes);
           if (needReserve) memset(reserve, 0x42, needReserve);
         },
         {emu::range(space, bytes)});
  return training(h, c, x, y, scale, bias, momentum, runMean, runVar, epsilon, savedMean, savedInv,
                  ops == 1);
}

int cudnnBatchNormalizationBackwardEx(
    void* raw, int mode, int ops, const void* alpha, const void* beta, const void* alphaParam,
    const void* betaParam, void* xDesc, const void* x, void* yDesc, const void* y, void* dyDesc,
    const void* dy, void*, void*, void* dxDesc, void* dx, void* bnDesc, const void* scale,
    const void* bias, void* dscale, void* dbias, double epsilon, const void* savedMean,
    const void* savedInv, void* act, void* space, size_t bytes, void* reserve,
    size_t reserveBytes) {
  DNN_API(cudnnBatchNormalizationBackwardEx);
  Problem c;
  if (int status = fused(mode, ops, xDesc, act); status != OK) return status;
  if (ops == 1) {
    const Tensor* t = tensor(yDesc, "y");
    if (!t || !memory(*t, y, "y") || !emu::device(bias, 4, 4, "the bias")) return BAD_PARAM;
  }
  if (int status = problem(mode, alpha, beta, xDesc, dyDesc, bnDesc, epsilon, &c); status != OK)
    return status;
  const Tensor* d = tensor(dxDesc, "dx");
  if (!d || !check(d->sameLayout(c.x), "dx and x differ")) return BAD_PARAM;
  size_t needReserve = reserveSize(c.x, mode);
  if (!workspace(space, bytes, backwardWorkspace(c)) ||
      !workspace(reserve, reserveBytes, needReserve))
    return BAD_PARAM;
  submit(h,
         [=] {
           emu::garbage(space, bytes);
           for (size_t i = 0; i < needReserve; i++)
             if (static_cast<char*>(reserve)[i] != 0x42) {
               emu::say("the reserve space is not what the forward pass left");
               emu::poison();
               return;
             }
         },
         {emu::range(space, bytes)});
  return backward(h, c, alphaParam, betaParam, x, dy, dx, scale, dscale, dbias, epsilon, savedMean,
                  savedInv, ops == 1 ? y : nullptr);
}
}
