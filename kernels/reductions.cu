/* Kernels in which a block of threads reduces one row, plane or channel through shared memory, in a
   fixed order: results do not change from run to run. blockDim.x is a power of two, at most 256;
   blocks stride over the rows. Pooling windows are reduced by one thread each. */

/* The sum of v over the block, in every thread. */
static __device__ double reductions_sum(double v, double *shared) {
  int t = threadIdx.x;
  __syncthreads(); /* the last use of shared */
  shared[t] = v;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t < half) {
      shared[t] += shared[t + half];
    }
  }
  __syncthreads();
  return shared[0];
}

/* The larger; NaN is larger than all. */
static __device__ float reductions_larger(float a, float b) { return b > a || b != b ? b : a; }

/* The maximum of v over the block, in every thread. */
static __device__ float reductions_max(float v, float *shared) {
  int t = threadIdx.x;
  __syncthreads();
  shared[t] = v;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t < half) {
      shared[t] = reductions_larger(shared[t], shared[t + half]);
    }
  }
  __syncthreads();
  return shared[0];
}

/* features[image, column + c] = max or mean over the pixels of x (images, channels, pixels). A block
   takes one plane at a time. features has p columns. */
extern "C" __global__ void secateur_pool_features(const float *x, float *features,
                                                  long long images, long long channels,
                                                  long long pixels, long long p, long long column,
                                                  int max, int last) {
  __shared__ double sums[256];
  __shared__ float maxima[256];
  for (long long plane = blockIdx.x; plane < images * channels; plane += gridDim.x) {
    long long image = plane / channels;
    long long c = plane - image * channels;
    long long base = last ? image * pixels * channels + c : plane * pixels;
    long long stride = last ? channels : 1;
    float largest = x[base];
    float sum = 0.0f;
    for (long long i = threadIdx.x; i < pixels; i += blockDim.x) {
      float v = x[base + i * stride];
      largest = reductions_larger(largest, v);
      sum += v;
    }
    float result;
    if (max) {
      result = reductions_max(largest, maxima);
    } else {
      result = (float)(reductions_sum((double)sum, sums) / (double)pixels);
    }
    if (threadIdx.x == 0) {
      features[image * p + column + c] = result;
    }
  }
}

/* db[c] = sum of dy (images, channels, pixels) over images and pixels. A block takes a channel. */
extern "C" __global__ void secateur_bias_backward(const float *dy, float *db, long long images,
                                                  long long channels, long long pixels, int last) {
  __shared__ double sums[256];
  for (long long c = blockIdx.x; c < channels; c += gridDim.x) {
    double sum = 0.0;
    for (long long i = threadIdx.x; i < images * pixels; i += blockDim.x) {
      long long image = i / pixels;
      long long pixel = i - image * pixels;
      sum += (double)(last ? dy[i * channels + c] : dy[(image * channels + c) * pixels + pixel]);
    }
    sum = reductions_sum(sum, sums);
    if (threadIdx.x == 0) {
      db[c] = (float)sum;
    }
  }
}

/* Loss of each row and how many classes rank before its label (ties: the lower class first, NaN
   before all, as in PyTorch), and with gradient not null the gradient of the mean loss. Rows whose
   label is below 0 do not count; a label of classes or more gives NaN. */
extern "C" __global__ void secateur_cross_entropy(const float *logits, const int *labels,
                                                  double smoothing, double *losses, int *ranks,
                                                  float *gradient, long long rows,
                                                  long long classes) {
  __shared__ double sums[256];
  __shared__ float maxima[256];
  double counted = 0.0;
  for (long long i = threadIdx.x; i < rows; i += blockDim.x) {
    counted += labels[i] >= 0 ? 1.0 : 0.0;
  }
  counted = reductions_sum(counted, sums);
  for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
    const float *x = logits + row * classes;
    int label = labels[row];
    int known = label >= 0 && label < classes;
    float target = known ? x[label] : 0.0f;
    float largest = x[0];
    double sum = 0.0;
    double ahead = 0.0;
    for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
      float v = x[k];
      largest = reductions_larger(largest, v);
      sum += (double)v;
      ahead += v != v || v > target || (v == target && k < label) ? 1.0 : 0.0;
    }
    largest = reductions_max(largest, maxima);
    sum = reductions_sum(sum, sums);
    ahead = reductions_sum(ahead, sums);
    double total = 0.0;
    for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
      total += (double)expf(x[k] - largest);
    }
    total = reductions_sum(total, sums);
    double each = smoothing / (double)classes;
    if (threadIdx.x == 0) {
      double loss = log(total) + (double)largest - (1.0 - smoothing) * (double)target - each * sum;
      losses[row] = label < 0 ? 0.0 : known ? loss : 0.0 / (total - total);
      ranks[row] = !known || target != target || ahead > 5.0 ? 5 : (int)ahead;
    }
    if (gradient) {
      for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
        double wanted = k == label ? 1.0 - smoothing + each : each;
        double g = ((double)expf(x[k] - largest) / total - wanted) / counted;
        gradient[row * classes + k] = label < 0 ? 0.0f : (float)g;
      }
    }
  }
}

/* Adds to metrics (4): losses, ranks below 1, ranks below 5, labels of 0 or more. One block. */
extern "C" __global__ void secateur_metrics(const double *losses, const int *ranks,
                                            const int *labels, double *metrics, long long rows) {
  __shared__ double sums[256];
  double loss = 0.0;
  double first = 0.0;
  double five = 0.0;
  double counted = 0.0;
  for (long long i = threadIdx.x; i < rows; i += blockDim.x) {
    if (labels[i] >= 0) {
      loss += losses[i];
      first += ranks[i] < 1 ? 1.0 : 0.0;
      five += ranks[i] < 5 ? 1.0 : 0.0;
      counted += 1.0;
    }
  }
  loss = reductions_sum(loss, sums);
  first = reductions_sum(first, sums);
  five = reductions_sum(five, sums);
  counted = reductions_sum(counted, sums);
  if (threadIdx.x == 0) {
    metrics[0] += loss;
    metrics[1] += first;
    metrics[2] += five;
    metrics[3] += counted;
  }
}

/* Pooling with any padding; kind 0 maximum, 1 average over the input, 2 average over the window. One
   thread per output; planes is N C (order N, C, H, W only). */
extern "C" __global__ void secateur_pool(const float *x, float *y, long long planes, int h, int w,
                                         int out_h, int out_w, int kernel_h, int kernel_w,
                                         int stride_h, int stride_w, int top, int left, int kind) {
  long long n = planes * out_h * out_w;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    int column = (int)(i % out_w) * stride_w - left;
    int row = (int)(i / out_w % out_h) * stride_h - top;
    const float *in = x + i / ((long long)out_w * out_h) * h * w;
    float sum = 0.0f;
    float largest = 0.0f;
    int count = 0;
    for (int r = row < 0 ? 0 : row; r < row + kernel_h && r < h; r++) {
      for (int c = column < 0 ? 0 : column; c < column + kernel_w && c < w; c++) {
        float v = in[(long long)r * w + c];
        largest = count == 0 ? v : reductions_larger(largest, v);
        sum += v;
        count++;
      }
    }
    int divisor = kind == 2 ? kernel_h * kernel_w : count > 0 ? count : 1;
    y[i] = kind == 0 ? largest : sum / (float)divisor;
  }
}

/* The gradient of secateur_pool: each input gathers from the windows that it lies in; of equal
   maxima the first one in the window takes all. */
extern "C" __global__ void secateur_pool_backward(const float *x, const float *dy, float *dx,
                                                  long long planes, int h, int w, int out_h,
                                                  int out_w, int kernel_h, int kernel_w,
                                                  int stride_h, int stride_w, int top, int left,
                                                  int kind) {
  long long n = planes * h * w;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    int column = (int)(i % w);
    int row = (int)(i / w % h);
    long long plane = i / ((long long)w * h);
    const float *in = x + plane * h * w;
    float sum = 0.0f;
    for (int p = 0; p < out_h; p++) {
      int r0 = p * stride_h - top;
      if (row < r0 || row >= r0 + kernel_h) {
        continue;
      }
      for (int q = 0; q < out_w; q++) {
        int c0 = q * stride_w - left;
        if (column < c0 || column >= c0 + kernel_w) {
          continue;
        }
        float g = dy[(plane * out_h + p) * out_w + q];
        int best = -1;
        float largest = 0.0f;
        int count = 0;
        for (int r = r0 < 0 ? 0 : r0; r < r0 + kernel_h && r < h; r++) {
          for (int c = c0 < 0 ? 0 : c0; c < c0 + kernel_w && c < w; c++) {
            float v = in[(long long)r * w + c];
            if (count == 0 || v > largest || (v != v && largest == largest)) {
              largest = v;
              best = r * w + c;
            }
            count++;
          }
        }
        if (kind == 0) {
          sum += best == row * w + column ? g : 0.0f;
        } else {
          sum += g / (float)(kind == 2 ? kernel_h * kernel_w : count);
        }
      }
    }
    dx[i] = sum;
  }
}
