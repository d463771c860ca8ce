/* What kernels of vision.inc share whatever the type of activations is. */
#pragma once
#include "common.h"

/* Where the element of image n, channel c, pixel i lies. */
static __device__ long long vision_at(long long n, long long c, long long i, long long channels,
                                      long long pixels, int channels_last) {
  return common_at(n, c, 0, i, channels, 1, pixels, channels_last);
}

/* log(1 + exp(x)), which is x for large ones. */
static __device__ float vision_softplus(float x) {
  return x > 20.0f ? x : log1pf(expf(x));
}

/* A function of one number and its slope; NaN for a kind that is not known here. */
static __device__ float vision_function(float x, int kind, float a, float b) {
  float v;
  switch (kind) {
    case ELEMENTWISE_LEAKY_RELU:
      return x > 0.0f ? x : a * x;
    case ELEMENTWISE_ELU:
      return x > 0.0f ? x : a * expm1f(x);
    case ELEMENTWISE_CLIP: /* NaN stays */
      return x < a ? a : x > b ? b : x;
    case ELEMENTWISE_SIGMOID:
      return 1.0f / (1.0f + expf(-x));
    case ELEMENTWISE_HARD_SIGMOID:
      v = a * x + b;
      return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
    case ELEMENTWISE_HARD_SWISH:
      v = x / 6.0f + 0.5f;
      return x * (v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v);
    case ELEMENTWISE_SILU:
      return x / (1.0f + expf(-x));
    case ELEMENTWISE_GELU:
      return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    case ELEMENTWISE_TANH:
      return tanhf(x);
    case ELEMENTWISE_SOFTPLUS:
      return vision_softplus(x);
    case ELEMENTWISE_MISH:
      return x * tanhf(vision_softplus(x));
    case ELEMENTWISE_POWER:
      return powf(x, a);
    default:
      return common_nan();
  }
}

static __device__ float vision_slope(float x, int kind, float a, float b) {
  float v;
  switch (kind) {
    case ELEMENTWISE_LEAKY_RELU:
      return x > 0.0f ? 1.0f : a;
    case ELEMENTWISE_ELU:
      return x > 0.0f ? 1.0f : a * expf(x);
    case ELEMENTWISE_CLIP:
      return x > a && x < b ? 1.0f : 0.0f;
    case ELEMENTWISE_SIGMOID:
      v = 1.0f / (1.0f + expf(-x));
      return v * (1.0f - v);
    case ELEMENTWISE_HARD_SIGMOID:
      v = a * x + b;
      return v > 0.0f && v < 1.0f ? a : 0.0f;
    case ELEMENTWISE_HARD_SWISH:
      return x <= -3.0f ? 0.0f : x >= 3.0f ? 1.0f : x / 3.0f + 0.5f;
    case ELEMENTWISE_SILU:
      v = 1.0f / (1.0f + expf(-x));
      return v * (1.0f + x * (1.0f - v));
    case ELEMENTWISE_GELU:
      return 0.5f * (1.0f + erff(x * 0.70710678f)) + 0.39894228f * x * expf(-0.5f * x * x);
    case ELEMENTWISE_TANH:
      v = tanhf(x);
      return 1.0f - v * v;
    case ELEMENTWISE_SOFTPLUS:
      return 1.0f / (1.0f + expf(-x));
    case ELEMENTWISE_MISH:
      v = tanhf(vision_softplus(x));
      return v + x * (1.0f - v * v) / (1.0f + expf(-x));
    case ELEMENTWISE_POWER:
      return a * powf(x, a - 1.0f);
    default:
      return common_nan();
  }
}

/* The sum of v over the lanes of a block: thread t is lane t / width of column t % width. */
static __device__ double vision_sum(double v, double *shared, int width) {
  int t = threadIdx.x;
  int lane = t / width;
  __syncthreads(); /* the final use of shared */
  shared[t] = v;
  for (int half = blockDim.x / width / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) {
      shared[t] += shared[t + half * width];
    }
  }
  __syncthreads();
  return shared[t % width];
}

/* Resampling of an axis: output i lies at (step i + offset) / divisor, moved inside. */
struct vision_axis {
  long long low;
  long long high;
  float weight; /* of high */
};

static __device__ vision_axis vision_sample(long long i, long long length, long long step,
                                            long long offset, long long divisor, int smooth) {
  long long place = step * i + offset;
  long long end = (length - 1) * divisor;
  place = place < 0 ? 0 : place > end ? end : place;
  vision_axis a;
  a.low = place / divisor;
  a.high = a.low + 1 < length ? a.low + 1 : a.low;
  a.weight = smooth ? (float)((double)(place % divisor) / (double)divisor) : 0.0f;
  return a;
}

/* The first output that may read input pixel r, and the last. */
static __device__ long long vision_first(long long r, long long step, long long offset,
                                         long long divisor) {
  if (r == 0 || step == 0) {
    return 0;
  }
  long long first = ((r - 1) * divisor - offset) / step;
  return first < 0 ? 0 : first;
}

static __device__ long long vision_last(long long r, long long length, long long out,
                                        long long step, long long offset, long long divisor) {
  if (r == length - 1 || step == 0) {
    return out - 1;
  }
  long long final = ((r + 1) * divisor - offset) / step;
  return final > out - 1 ? out - 1 : final;
}

static __device__ float vision_share(vision_axis a, long long r) {
  return (a.low == r ? 1.0f - a.weight : 0.0f) + (a.high == r ? a.weight : 0.0f);
}
