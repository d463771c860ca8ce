/* Sums and products behind partial least squares, in double precision. Matrices are row-major. Every
   output element has one owner that adds in a fixed order: no atomics. */

/* out[i,j] = x[i,j] - shift[j] of x (rows, p), added per label to sums (q, p) and squared to squares
   (p); counts (q). One thread per class and column, and per column for the squares and for rows
   whose label is below 0, whose out is 0. A label of q or more spoils its column with NaN. */
extern "C" __global__ void secateur_accumulate_features(const float *x, const int *labels,
                                                        const float *shift, float *out,
                                                        double *sums, double *counts,
                                                        double *squares, long long rows,
                                                        long long p, long long q) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x; t < (q + 1) * p; t += step) {
    long long l = t / p;
    long long j = t - l * p;
    float centre = shift[j];
    double sum = 0.0;
    double count = 0.0;
    for (long long i = 0; i < rows; i++) {
      int label = labels[i];
      if (l < q) {
        if (label == l) {
          float v = x[i * p + j] - centre;
          out[i * p + j] = v;
          sum += (double)v;
          count += 1.0;
        }
      } else if (label < 0) {
        out[i * p + j] = 0.0f;
      } else {
        float v = x[i * p + j] - centre;
        if (label >= q) {
          v = (v - v) / (v - v);
          out[i * p + j] = v;
        }
        sum += (double)v * (double)v;
      }
    }
    if (l < q) {
      sums[l * p + j] += sum;
      if (j == 0) {
        counts[l] += count;
      }
    } else {
      squares[j] += sum;
    }
  }
}

/* out[i,j] = |x[2i,j] - x[2i+1,j]| of x (2 rows, p); out (rows, p), n = rows p. */
extern "C" __global__ void secateur_pair_differences(const float *x, float *out, long long n,
                                                     long long p) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x; k < n; k += step) {
    const float *first = x + k + k / p * p;
    out[k] = fabsf(first[0] - first[p]);
  }
}

extern "C" __global__ void secateur_accumulate_f32(const float *src, double *dst, long long n) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    dst[i] += (double)src[i];
  }
}

extern "C" __global__ void secateur_accumulate_f64(const double *src, double *dst, long long n) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    dst[i] += src[i];
  }
}

/* out[i,j] = (m[i,j] - sum_i[i] sum_j[j] / n) factor_i[i] factor_j[j]; out may be m. */
extern "C" __global__ void secateur_standardize(const double *m, const double *sum_i,
                                                const double *sum_j, const double *n,
                                                const double *factor_i, const double *factor_j,
                                                double *out, long long rows, long long columns) {
  double count = n[0];
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x; k < rows * columns;
       k += step) {
    long long i = k / columns;
    long long j = k - i * columns;
    out[k] = (m[k] - sum_i[i] / count * sum_j[j]) * factor_i[i] * factor_j[j];
  }
}

/* factor[j] = standard deviation (ddof 1) to the power of -power, 1 where the variance is 0 to
   rounding. */
extern "C" __global__ void secateur_inverse_deviation(const double *squares, const double *sum,
                                                      const double *n, double power,
                                                      double *factor, long long p) {
  double count = n[0];
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x; j < p; j += step) {
    double spread = squares[j] - sum[j] * sum[j] / count;
    /* the squares are of floats, so less than this is rounding */
    int varies = spread > 1e-7 * squares[j] && count >= 2.0;
    factor[j] = varies ? pow((count - 1.0) / spread, power / 2.0) : 1.0;
  }
}

/* out = a b; out may be a or b. */
extern "C" __global__ void secateur_multiply(const double *a, const double *b, double *out,
                                             long long n) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    out[i] = a[i] * b[i];
  }
}

/* x *= scalar^exponent; of a quantity that cannot be negative, what is not positive is an empty
   direction: 0. */
extern "C" __global__ void secateur_scale_by_power(double *x, const double *scalar,
                                                   double exponent, long long n) {
  double s = scalar[0];
  double factor = s > 0.0 ? pow(s, exponent) : 0.0;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    x[i] *= factor;
  }
}

/* norms[a] = sum of w[a,j]^2 of w (components, p). A block takes a row; blockDim.x is a power of two,
   at most 256. */
extern "C" __global__ void secateur_row_norms(const double *w, double *norms,
                                              long long components, long long p) {
  __shared__ double sums[256];
  for (long long a = blockIdx.x; a < components; a += gridDim.x) {
    double sum = 0.0;
    for (long long j = threadIdx.x; j < p; j += blockDim.x) {
      sum += w[a * p + j] * w[a * p + j];
    }
    __syncthreads();
    sums[threadIdx.x] = sum;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
      __syncthreads();
      if (threadIdx.x < half) {
        sums[threadIdx.x] += sums[threadIdx.x + half];
      }
    }
    if (threadIdx.x == 0) {
      norms[a] = sums[0];
    }
  }
}

/* vip[j] = sqrt(p sum_a s[a] w[a,j]^2 / norms[a] / sum_a s[a]); components of norm 0 do not count. */
extern "C" __global__ void secateur_vip(const double *w, const double *s, const double *norms,
                                        float *vip, long long components, long long p) {
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x; j < p; j += step) {
    double sum = 0.0;
    double total = 0.0;
    for (long long a = 0; a < components; a++) {
      if (norms[a] > 0.0) {
        sum += s[a] * w[a * p + j] * w[a * p + j] / norms[a];
        total += s[a];
      }
    }
    vip[j] = total > 0.0 ? (float)sqrt((double)p * sum / total) : 0.0f;
  }
}
