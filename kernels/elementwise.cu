/* Element by element. Every kernel is a grid-stride loop over a 64-bit count, so that any grid fits.
   Activations: 0 none, 1 ReLU, 2 ReLU6. Types: 0 F32, 1 F64, 2 I32, 3 U8, as in DType. */

static __device__ float elementwise_activate(float v, int activation) {
  if (activation >= 1) {
    v = v < 0.0f ? 0.0f : v; /* NaN stays */
  }
  if (activation == 2) {
    v = v > 6.0f ? 6.0f : v;
  }
  return v;
}

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

/* y = activation(x); y may be x. */
extern "C" __global__ void secateur_activate(const float *x, float *y, long long n,
                                             int activation) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    y[i] = elementwise_activate(x[i], activation);
  }
}

/* dx = dy where y > 0 (and y < 6); dx may be dy. */
extern "C" __global__ void secateur_activate_backward(const float *y, const float *dy, float *dx,
                                                      long long n, int activation) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    float v = y[i];
    int open = activation == 0 || (v > 0.0f && (activation != 2 || v < 6.0f));
    dx[i] = open ? dy[i] : 0.0f;
  }
}

/* y = activation(a + b); y may be a or b. */
extern "C" __global__ void secateur_add(const float *a, const float *b, float *y, long long n,
                                        int activation) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    y[i] = elementwise_activate(a[i] + b[i], activation);
  }
}

/* y = activation(y + bias[channel] + residual); bias and residual may be null. Element i belongs to
   channel i / inner % channels. */
extern "C" __global__ void secateur_epilogue(float *y, const float *bias, const float *residual,
                                             long long n, long long channels, long long inner,
                                             int activation) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    float v = y[i];
    if (bias) {
      v += bias[i / inner % channels];
    }
    if (residual) {
      v += residual[i];
    }
    y[i] = elementwise_activate(v, activation);
  }
}

/* y = activation((x - mean) / sqrt(variance + eps) * gamma + beta) per channel. */
extern "C" __global__ void secateur_batch_norm(const float *x, const float *gamma,
                                               const float *beta, const float *mean,
                                               const float *variance, float eps, float *y,
                                               long long n, long long channels, long long inner,
                                               int activation) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    long long c = i / inner % channels;
    float scale = gamma[c] / sqrtf(variance[c] + eps);
    y[i] = elementwise_activate((x[i] - mean[c]) * scale + beta[c], activation);
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
    double v = src_type == 0   ? (double)((const float *)src)[from]
               : src_type == 1 ? ((const double *)src)[from]
                               : (double)((const unsigned char *)src)[from];
    if (dst_type == 0) {
      ((float *)dst)[to] = (float)v;
    } else {
      ((double *)dst)[to] = v;
    }
  }
}

/* SGD as PyTorch defines it; lr lies on the device. */
extern "C" __global__ void secateur_sgd(float *p, const float *grad, float *velocity,
                                        const float *lr, float momentum, float decay, int nesterov,
                                        long long n) {
  float rate = lr[0];
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    float g = grad[i] + decay * p[i];
    float v = momentum * velocity[i] + g;
    velocity[i] = v;
    p[i] = p[i] - rate * (nesterov ? g + momentum * v : v);
  }
}
