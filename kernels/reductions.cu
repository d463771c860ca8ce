/* Kernels in which a block of threads reduces one row, plane or channel through shared memory, in a
   fixed order: results do not change from run to run. blockDim.x is a power of two, at most 256;
   blocks stride over the rows. */
#include "common.h"

/* Row-wise softmax of (rows, classes). */
extern "C" __global__ void secateur_softmax(const float *x, float *y, long long rows,
                                            long long classes) {
  __shared__ double sums[256];
  __shared__ float maxima[256];
  for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
    const float *in = x + row * classes;
    float largest = in[0];
    for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
      largest = common_larger(largest, in[k]);
    }
    largest = common_max(largest, maxima);
    double total = 0.0;
    for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
      total += (double)expf(in[k] - largest);
    }
    float inverse = (float)(1.0 / common_sum(total, sums));
    for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
      y[row * classes + k] = expf(in[k] - largest) * inverse;
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
  counted = common_sum(counted, sums);
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
      largest = common_larger(largest, v);
      sum += (double)v;
      ahead += v != v || v > target || (v == target && k < label) ? 1.0 : 0.0;
    }
    largest = common_max(largest, maxima);
    sum = common_sum(sum, sums);
    ahead = common_sum(ahead, sums);
    double total = 0.0;
    for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
      total += (double)expf(x[k] - largest);
    }
    total = common_sum(total, sums);
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
  loss = common_sum(loss, sums);
  first = common_sum(first, sums);
  five = common_sum(five, sums);
  counted = common_sum(counted, sums);
  if (threadIdx.x == 0) {
    metrics[0] += loss;
    metrics[1] += first;
    metrics[2] += five;
    metrics[3] += counted;
  }
}

