/* Layers of networks beyond plain chains of convolutions. Activations (N,C,H,W) are in the order
   N, H, W, C where last is 1 and N, C, H, W where it is 0; (N,C) counts as either. Grid-stride loops
   over 64-bit counts; reductions in a fixed order. */

/* Where the element of image n, channel c, pixel i lies. */
static __device__ long long vision_at(long long n, long long c, long long i, long long channels,
                                      long long pixels, int last) {
  return last ? (n * pixels + i) * channels + c : (n * channels + c) * pixels + i;
}

/* Kinds as in ElementwiseSpec. */
static __device__ float vision_function(float x, int kind, float a, float b) {
  float v;
  switch (kind) {
    case 0: /* leaky ReLU */
      return x > 0.0f ? x : a * x;
    case 1: /* ELU */
      return x > 0.0f ? x : a * expm1f(x);
    case 2: /* clip; NaN stays */
      return x < a ? a : x > b ? b : x;
    case 3: /* sigmoid */
      return 1.0f / (1.0f + expf(-x));
    case 4: /* hard sigmoid */
      v = a * x + b;
      return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
    case 5: /* hard swish */
      v = x / 6.0f + 0.5f;
      return x * (v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v);
    case 6: /* SiLU */
      return x / (1.0f + expf(-x));
    case 7: /* GELU */
      return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    default:
      return tanhf(x);
  }
}

static __device__ float vision_slope(float x, int kind, float a, float b) {
  float v;
  switch (kind) {
    case 0:
      return x > 0.0f ? 1.0f : a;
    case 1:
      return x > 0.0f ? 1.0f : a * expf(x);
    case 2:
      return x > a && x < b ? 1.0f : 0.0f;
    case 3:
      v = 1.0f / (1.0f + expf(-x));
      return v * (1.0f - v);
    case 4:
      v = a * x + b;
      return v > 0.0f && v < 1.0f ? a : 0.0f;
    case 5:
      return x <= -3.0f ? 0.0f : x >= 3.0f ? 1.0f : x / 3.0f + 0.5f;
    case 6:
      v = 1.0f / (1.0f + expf(-x));
      return v * (1.0f + x * (1.0f - v));
    case 7:
      return 0.5f * (1.0f + erff(x * 0.70710678f)) + 0.39894228f * x * expf(-0.5f * x * x);
    default:
      v = tanhf(x);
      return 1.0f - v * v;
  }
}

/* y = f(x); y may be x. */
extern "C" __global__ void secateur_elementwise(const float *x, float *y, long long n, int kind,
                                                float a, float b) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    y[i] = vision_function(x[i], kind, a, b);
  }
}

/* dx = dy f'(x); dx may be dy. */
extern "C" __global__ void secateur_elementwise_backward(const float *x, const float *dy,
                                                         float *dx, long long n, int kind, float a,
                                                         float b) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    dx[i] = dy[i] * vision_slope(x[i], kind, a, b);
  }
}

/* y = a b, with one b an element (pixels 0) or a channel of an image; y may be a. */
extern "C" __global__ void secateur_product(const float *a, const float *b, float *y, long long n,
                                            long long channels, long long pixels, int last) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    long long at = pixels == 0 ? i
                   : last      ? i / (channels * pixels) * channels + i % channels
                               : i / pixels;
    y[i] = a[i] * b[at];
  }
}

/* The sum of v over the lanes of a block: thread t is lane t / width of column t % width. */
static __device__ double vision_sum(double v, double *shared, int width) {
  int t = threadIdx.x;
  int lane = t / width;
  __syncthreads(); /* the last use of shared */
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

/* y[n,c] = sum over the pixels of a b. A block takes one plane at a time. */
extern "C" __global__ void secateur_channel_products(const float *a, const float *b, float *y,
                                                     long long images, long long channels,
                                                     long long pixels, int last) {
  __shared__ double sums[256];
  for (long long plane = blockIdx.x; plane < images * channels; plane += gridDim.x) {
    double sum = 0.0;
    for (long long i = threadIdx.x; i < pixels; i += blockDim.x) {
      long long at = vision_at(plane / channels, plane % channels, i, channels, pixels, last);
      sum += (double)a[at] * (double)b[at];
    }
    sum = vision_sum(sum, sums, 1);
    if (threadIdx.x == 0) {
      y[plane] = (float)sum;
    }
  }
}

/* In the kernels over channels that follow, a block takes width neighbouring positions at a time,
   and its lanes share out their channels: width 1 where channels are neighbours in memory, 32 where
   positions are. blockDim.x is a power of two, at most 256. Inside the loops every thread passes
   every barrier. */

/* Softmax over the channels. */
extern "C" __global__ void secateur_channel_softmax(const float *x, float *y, long long images,
                                                    long long channels, long long pixels, int last,
                                                    int width) {
  __shared__ double sums[256];
  __shared__ float maxima[256];
  int t = threadIdx.x;
  int lane = t / width;
  int lanes = blockDim.x / width;
  long long positions = images * pixels;
  for (long long first = (long long)blockIdx.x * width; first < positions;
       first += (long long)gridDim.x * width) {
    long long p = first + t % width;
    long long n = p / pixels;
    long long i = p - n * pixels;
    long long own = p < positions ? channels : 0;
    float largest = own ? x[vision_at(n, 0, i, channels, pixels, last)] : 0.0f;
    for (long long c = lane; c < own; c += lanes) {
      float v = x[vision_at(n, c, i, channels, pixels, last)];
      largest = v > largest || v != v ? v : largest;
    }
    __syncthreads();
    maxima[t] = largest;
    for (int half = lanes / 2; half > 0; half /= 2) {
      __syncthreads();
      if (lane < half) {
        float v = maxima[t + half * width];
        maxima[t] = v > maxima[t] || v != v ? v : maxima[t];
      }
    }
    __syncthreads();
    largest = maxima[t % width];
    double total = 0.0;
    for (long long c = lane; c < own; c += lanes) {
      total += (double)expf(x[vision_at(n, c, i, channels, pixels, last)] - largest);
    }
    float inverse = (float)(1.0 / vision_sum(total, sums, width));
    for (long long c = lane; c < own; c += lanes) {
      long long at = vision_at(n, c, i, channels, pixels, last);
      y[at] = expf(x[at] - largest) * inverse;
    }
  }
}

/* dx = y (dy - sum over channels of dy y). */
extern "C" __global__ void secateur_channel_softmax_backward(const float *y, const float *dy,
                                                             float *dx, long long images,
                                                             long long channels, long long pixels,
                                                             int last, int width) {
  __shared__ double sums[256];
  int lane = threadIdx.x / width;
  int lanes = blockDim.x / width;
  long long positions = images * pixels;
  for (long long first = (long long)blockIdx.x * width; first < positions;
       first += (long long)gridDim.x * width) {
    long long p = first + threadIdx.x % width;
    long long n = p / pixels;
    long long i = p - n * pixels;
    long long own = p < positions ? channels : 0;
    double sum = 0.0;
    for (long long c = lane; c < own; c += lanes) {
      long long at = vision_at(n, c, i, channels, pixels, last);
      sum += (double)dy[at] * (double)y[at];
    }
    sum = vision_sum(sum, sums, width);
    for (long long c = lane; c < own; c += lanes) {
      long long at = vision_at(n, c, i, channels, pixels, last);
      dx[at] = y[at] * (dy[at] - (float)sum);
    }
  }
}

/* y = (x - mean) / sqrt(variance + eps) gamma + beta over the channels; statistics, if not null,
   takes each position's mean and 1 / sqrt(variance + eps). */
extern "C" __global__ void secateur_layer_norm(const float *x, const float *gamma,
                                               const float *beta, float eps, float *y,
                                               float *statistics, long long images,
                                               long long channels, long long pixels, int last,
                                               int width) {
  __shared__ double sums[256];
  int lane = threadIdx.x / width;
  int lanes = blockDim.x / width;
  long long positions = images * pixels;
  for (long long first = (long long)blockIdx.x * width; first < positions;
       first += (long long)gridDim.x * width) {
    long long p = first + threadIdx.x % width;
    long long n = p / pixels;
    long long i = p - n * pixels;
    long long own = p < positions ? channels : 0;
    double sum = 0.0;
    for (long long c = lane; c < own; c += lanes) {
      sum += (double)x[vision_at(n, c, i, channels, pixels, last)];
    }
    float mean = (float)(vision_sum(sum, sums, width) / (double)channels);
    sum = 0.0;
    for (long long c = lane; c < own; c += lanes) {
      float d = x[vision_at(n, c, i, channels, pixels, last)] - mean;
      sum += (double)d * (double)d;
    }
    double variance = vision_sum(sum, sums, width) / (double)channels;
    float inverse = (float)(1.0 / sqrt(variance + (double)eps));
    for (long long c = lane; c < own; c += lanes) {
      long long at = vision_at(n, c, i, channels, pixels, last);
      y[at] = (x[at] - mean) * inverse * gamma[c] + beta[c];
    }
    if (statistics && own && lane == 0) {
      statistics[2 * p] = mean;
      statistics[2 * p + 1] = inverse;
    }
  }
}

/* dx of layer norm: with g = dy gamma and h = (x - mean) inverse it is inverse (g - mean(g) - h
   mean(g h)). */
extern "C" __global__ void secateur_layer_norm_backward(const float *x, const float *gamma,
                                                        const float *statistics, const float *dy,
                                                        float *dx, long long images,
                                                        long long channels, long long pixels,
                                                        int last, int width) {
  __shared__ double sums[256];
  int lane = threadIdx.x / width;
  int lanes = blockDim.x / width;
  long long positions = images * pixels;
  for (long long first = (long long)blockIdx.x * width; first < positions;
       first += (long long)gridDim.x * width) {
    long long p = first + threadIdx.x % width;
    long long n = p / pixels;
    long long i = p - n * pixels;
    long long own = p < positions ? channels : 0;
    float mean = own ? statistics[2 * p] : 0.0f;
    float inverse = own ? statistics[2 * p + 1] : 0.0f;
    double plain = 0.0;
    double product = 0.0;
    for (long long c = lane; c < own; c += lanes) {
      long long at = vision_at(n, c, i, channels, pixels, last);
      float g = dy[at] * gamma[c];
      plain += (double)g;
      product += (double)g * (double)((x[at] - mean) * inverse);
    }
    float a = (float)(vision_sum(plain, sums, width) / (double)channels);
    float b = (float)(vision_sum(product, sums, width) / (double)channels);
    for (long long c = lane; c < own; c += lanes) {
      long long at = vision_at(n, c, i, channels, pixels, last);
      dx[at] = inverse * (dy[at] * gamma[c] - a - (x[at] - mean) * inverse * b);
    }
  }
}

/* dgamma and dbeta of layer norm. A block takes one channel at a time. */
extern "C" __global__ void secateur_layer_norm_parameters(const float *x, const float *statistics,
                                                          const float *dy, float *dgamma,
                                                          float *dbeta, long long images,
                                                          long long channels, long long pixels,
                                                          int last) {
  __shared__ double sums[256];
  for (long long c = blockIdx.x; c < channels; c += gridDim.x) {
    double scale = 0.0;
    double shift = 0.0;
    for (long long p = threadIdx.x; p < images * pixels; p += blockDim.x) {
      long long n = p / pixels;
      long long at = vision_at(n, c, p - n * pixels, channels, pixels, last);
      shift += (double)dy[at];
      scale += (double)dy[at] * (double)((x[at] - statistics[2 * p]) * statistics[2 * p + 1]);
    }
    scale = vision_sum(scale, sums, 1);
    shift = vision_sum(shift, sums, 1);
    if (threadIdx.x == 0) {
      dgamma[c] = (float)scale;
      dbeta[c] = (float)shift;
    }
  }
}

/* An element of an activation, counted in the order of memory, to its position. */
struct vision_place {
  long long image;
  long long channel;
  long long row;
  long long column;
};

static __device__ vision_place vision_find(long long i, long long channels, long long h,
                                           long long w, int last) {
  vision_place p;
  if (last) {
    p.channel = i % channels;
    i /= channels;
  }
  p.column = i % w;
  i /= w;
  p.row = i % h;
  i /= h;
  if (!last) {
    p.channel = i % channels;
    i /= channels;
  }
  p.image = i;
  return p;
}

/* y (.., out_h, out_w) = x (.., h, w) moved down by top and right by left, value elsewhere. */
extern "C" __global__ void secateur_border(const float *x, float *y, float value, long long images,
                                           long long channels, long long h, long long w,
                                           long long out_h, long long out_w, long long top,
                                           long long left, int last) {
  long long n = images * channels * out_h * out_w;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    vision_place p = vision_find(i, channels, out_h, out_w, last);
    long long r = p.row - top;
    long long c = p.column - left;
    int inside = r >= 0 && r < h && c >= 0 && c < w;
    y[i] = inside ? x[vision_at(p.image, p.channel, r * w + c, channels, h * w, last)] : value;
  }
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

extern "C" __global__ void secateur_resize(const float *x, float *y, long long images,
                                           long long channels, long long h, long long w,
                                           long long out_h, long long out_w, long long step_h,
                                           long long offset_h, long long divisor_h,
                                           long long step_w, long long offset_w,
                                           long long divisor_w, int smooth, int last) {
  long long n = images * channels * out_h * out_w;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    vision_place p = vision_find(i, channels, out_h, out_w, last);
    vision_axis r = vision_sample(p.row, h, step_h, offset_h, divisor_h, smooth);
    vision_axis c = vision_sample(p.column, w, step_w, offset_w, divisor_w, smooth);
    float v = x[vision_at(p.image, p.channel, r.low * w + c.low, channels, h * w, last)];
    if (smooth) {
      float right = x[vision_at(p.image, p.channel, r.low * w + c.high, channels, h * w, last)];
      float below = x[vision_at(p.image, p.channel, r.high * w + c.low, channels, h * w, last)];
      float both = x[vision_at(p.image, p.channel, r.high * w + c.high, channels, h * w, last)];
      v += c.weight * (right - v);
      below += c.weight * (both - below);
      v += r.weight * (below - v);
    }
    y[i] = v;
  }
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

/* The gradient of secateur_resize: each input gathers from the outputs that read it. */
extern "C" __global__ void secateur_resize_backward(
    const float *dy, float *dx, long long images, long long channels, long long h, long long w,
    long long out_h, long long out_w, long long step_h, long long offset_h, long long divisor_h,
    long long step_w, long long offset_w, long long divisor_w, int smooth, int last) {
  long long n = images * channels * h * w;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    vision_place place = vision_find(i, channels, h, w, last);
    long long p_end = vision_last(place.row, h, out_h, step_h, offset_h, divisor_h);
    long long q_begin = vision_first(place.column, step_w, offset_w, divisor_w);
    long long q_end = vision_last(place.column, w, out_w, step_w, offset_w, divisor_w);
    float sum = 0.0f;
    for (long long p = vision_first(place.row, step_h, offset_h, divisor_h); p <= p_end; p++) {
      vision_axis r = vision_sample(p, h, step_h, offset_h, divisor_h, smooth);
      float down = vision_share(r, place.row);
      if (down == 0.0f) {
        continue;
      }
      for (long long q = q_begin; q <= q_end; q++) {
        vision_axis c = vision_sample(q, w, step_w, offset_w, divisor_w, smooth);
        float across = vision_share(c, place.column);
        if (across != 0.0f) {
          long long at =
              vision_at(place.image, place.channel, p * out_w + q, channels, out_h * out_w, last);
          sum += down * across * dy[at];
        }
      }
    }
    dx[i] = sum;
  }
}
