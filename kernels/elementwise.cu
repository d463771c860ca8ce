/* Element by element. Every kernel is a grid-stride loop over a 64-bit count, so that any grid fits.
   Types: 0 F32, 1 F64, 2 I32, 3 U8, 4 F16, 5 BF16, as in DType. */
#include "common.h"

/* Where element i of a tensor in the order N, H, W, C lies in the order N, C, H, W. */
static __device__ long long elementwise_plain(long long i, long long channels, long long pixels) {
  long long image = i / (channels * pixels);
  long long rest = i - image * channels * pixels;
  return (image * channels + rest % channels) * pixels + rest / channels;
}

extern "C" __global__ void secateur_fill_f64(double *x, double value, long long n) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    x[i] = value;
  }
}

/* Copies n elements and converts type and order; *_last: the order is N, H, W, C. */
extern "C" __global__ void secateur_copy(const void *src, int src_type, int src_last, void *dst,
                                         int dst_type, int dst_last, long long n,
                                         long long channels, long long pixels) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    /* i counts in the order N, H, W, C if the orders differ */
    long long other = src_last == dst_last ? i : elementwise_plain(i, channels, pixels);
    long long from = src_last ? i : other;
    long long to = dst_last ? i : other;
    double v = src_type == DTYPE_F32    ? (double)((const float *)src)[from]
               : src_type == DTYPE_F64  ? ((const double *)src)[from]
               : src_type == DTYPE_F16  ? (double)(float)((const F16 *)src)[from]
               : src_type == DTYPE_BF16 ? (double)(float)((const BF16 *)src)[from]
                                        : (double)((const unsigned char *)src)[from];
    if (dst_type == DTYPE_F32) {
      ((float *)dst)[to] = (float)v;
    } else if (dst_type == DTYPE_F64) {
      ((double *)dst)[to] = v;
    } else if (dst_type == DTYPE_F16) {
      ((F16 *)dst)[to] = (float)v;
    } else {
      ((BF16 *)dst)[to] = (float)v;
    }
  }
}

/* SGD as PyTorch defines it; lr lies on the device. The first elements decay, the others do not.
   state: see mixed.inc; nothing changes after an overflow. */
extern "C" __global__ void secateur_sgd(float *p, const float *grad, float *velocity,
                                        const float *lr, float momentum, float decay,
                                        long long decayed, int nesterov, const float *state,
                                        long long n) {
  if (state && state[2] != 0.0f) {
    return;
  }
  float rate = lr[0];
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    float g = i < decayed ? grad[i] + decay * p[i] : grad[i];
    float v = momentum * velocity[i] + g;
    velocity[i] = v;
    p[i] = p[i] - rate * (nesterov ? g + momentum * v : v);
  }
}

/* average += share (x - average); share lies on the device. */
extern "C" __global__ void secateur_average(float *average, const float *x, const float *share,
                                            long long n) {
  float s = share[0];
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    average[i] = average[i] + s * (x[i] - average[i]);
  }
}

/* Counts a step of AdamW: steps = {t, 1 - beta1^t, sqrt(1 - beta2^t)}. One thread does it. */
extern "C" __global__ void secateur_adam_count(float *steps, float beta1, float beta2,
                                               const float *state) {
  if (blockIdx.x == 0 && threadIdx.x == 0 && !(state && state[2] != 0.0f)) {
    double t = (double)steps[0] + 1.0;
    steps[0] = (float)t;
    steps[1] = (float)(1.0 - pow((double)beta1, t));
    steps[2] = (float)sqrt(1.0 - pow((double)beta2, t));
  }
}

/* AdamW as PyTorch defines it, after its step was counted. The first elements decay. */
extern "C" __global__ void secateur_adamw(float *p, const float *grad, float *mean, float *square,
                                          const float *lr, const float *steps, float beta1,
                                          float beta2, float eps, float decay, long long decayed,
                                          const float *state, long long n) {
  if (state && state[2] != 0.0f) {
    return;
  }
  float rate = lr[0];
  float size = rate / steps[1];
  float root = steps[2];
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    float g = grad[i];
    float w = i < decayed ? p[i] * (1.0f - rate * decay) : p[i];
    float m = beta1 * mean[i] + (1.0f - beta1) * g;
    float v = beta2 * square[i] + (1.0f - beta2) * g * g;
    mean[i] = m;
    square[i] = v;
    p[i] = w - size * m / (sqrtf(v) / root + eps);
  }
}

/* Dynamic loss scaling, after a step: half the scale if there was an overflow, twice after so many
   good steps; a power of two, from 1 to 2^24. One thread does it. state: see mixed.inc. */
extern "C" __global__ void secateur_loss_scale(float *state, int patience) {
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    float good = state[1] + 1.0f;
    if (state[2] != 0.0f) {
      state[0] = state[0] > 1.0f ? state[0] * 0.5f : state[0];
      good = 0.0f;
    } else if (good >= (float)patience) {
      state[0] = state[0] < 16777216.0f ? state[0] * 2.0f : state[0];
      good = 0.0f;
    }
    state[1] = good;
    state[2] = 0.0f;
  }
}
