/* Kernels in which a block of threads reduces one row, plane or channel through shared memory, in a
   fixed order: results do not change from run to run. blockDim.x is a power of two, at most 256;
   blocks stride over the rows. */
#include "common.h"

/* Loss of each row and how many classes rank before its label (ties: the lower class first, NaN
   before all, as in PyTorch), and with gradient not null the gradient of the mean loss. Rows whose
   label is below 0 do not count; a label of classes or more gives NaN. With seconds not null the
   target is shares of the label and the rest of the second one. With teacher not null the loss is
   (1 - weight) of that and weight temperature^2 KL(teacher || student), both at the temperature. */
extern "C" __global__ void secateur_cross_entropy(const float *logits, const int *labels,
                                                  double smoothing, const int *seconds,
                                                  const float *shares, const float *teacher,
                                                  float temperature, float weight, double *losses,
                                                  int *ranks, float *gradient, long long rows,
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
    int second = seconds && known ? seconds[row] : label;
    double share = seconds ? (double)shares[row] : 1.0;
    float other = known ? x[second] : 0.0f;
    /* at the temperature: the totals of both softmaxes, and the divergence */
    const float *t = teacher ? teacher + row * classes : 0;
    float high = 0.0f;
    double soft = 1.0;
    double wise = 1.0;
    double divergence = 0.0;
    if (t) {
      high = t[0];
      soft = 0.0;
      wise = 0.0;
      for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
        high = common_larger(high, t[k]);
      }
      high = common_max(high, maxima);
      for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
        soft += exp((double)((x[k] - largest) / temperature));
        wise += exp((double)((t[k] - high) / temperature));
      }
      soft = common_sum(soft, sums);
      wise = common_sum(wise, sums);
      for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
        double own = (double)((x[k] - largest) / temperature) - log(soft);
        double wanted = (double)((t[k] - high) / temperature) - log(wise);
        divergence += exp(wanted) * (wanted - own);
      }
      divergence = common_sum(divergence, sums);
    }
    double rest = t ? 1.0 - (double)weight : 1.0;
    if (threadIdx.x == 0) {
      double hit = share * (double)target + (1.0 - share) * (double)other;
      double loss = log(total) + (double)largest - (1.0 - smoothing) * hit - each * sum;
      if (t) {
        loss = rest * loss + (double)weight * (double)temperature * (double)temperature * divergence;
      }
      losses[row] = label < 0 ? 0.0 : known ? loss : 0.0 / (total - total);
      ranks[row] = !known || target != target || ahead > 5.0 ? 5 : (int)ahead;
    }
    if (gradient) {
      for (long long k = threadIdx.x; k < classes; k += blockDim.x) {
        double wanted = each + (k == label ? (1.0 - smoothing) * share : 0.0) +
                        (k == second ? (1.0 - smoothing) * (1.0 - share) : 0.0);
        double g = rest * ((double)expf(x[k] - largest) / total - wanted) / counted;
        if (t) {
          double own = exp((double)((x[k] - largest) / temperature)) / soft;
          double wise_one = exp((double)((t[k] - high) / temperature)) / wise;
          g += (double)weight * (double)temperature * (own - wise_one) / counted;
        }
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

/* How far each row is from a row of the reference: over the parts that end at ends the mean of
   |x - reference|^2 / (|reference|^2 + 1e-12 length); with gradient not null that of the mean over
   the rows that count, whose label is 0 or more. */
extern "C" __global__ void secateur_imitation(const float *output, const float *reference,
                                              const int *labels, const int *ends, long long parts,
                                              double *losses, float *gradient, long long rows,
                                              long long columns) {
  __shared__ double sums[256];
  double counted = 0.0;
  for (long long i = threadIdx.x; i < rows; i += blockDim.x) {
    counted += labels[i] >= 0 ? 1.0 : 0.0;
  }
  counted = common_sum(counted, sums);
  for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
    const float *x = output + row * columns;
    const float *wanted = reference + row * columns;
    double loss = 0.0;
    int from = 0;
    for (long long part = 0; part < parts; part++) {
      int to = ends[part];
      double far = 0.0;
      double size = 0.0;
      for (int k = from + threadIdx.x; k < to; k += blockDim.x) {
        double d = (double)x[k] - (double)wanted[k];
        far += d * d;
        size += (double)wanted[k] * (double)wanted[k];
      }
      far = common_sum(far, sums);
      size = (common_sum(size, sums) + 1e-12 * (double)(to - from)) * (double)parts;
      loss += far / size;
      if (gradient) {
        for (int k = from + threadIdx.x; k < to; k += blockDim.x) {
          double g = 2.0 * ((double)x[k] - (double)wanted[k]) / (size * counted);
          gradient[row * columns + k] = labels[row] < 0 ? 0.0f : (float)g;
        }
      }
      from = to;
    }
    if (threadIdx.x == 0) {
      losses[row] = loss;
    }
  }
}

/* Adds to metrics (4) of rows whose label is 0 or more: losses, what is left of 1 by them twice,
   and their number. One block. */
extern "C" __global__ void secateur_imitation_metrics(const double *losses, const int *labels,
                                                      double *metrics, long long rows) {
  __shared__ double sums[256];
  double loss = 0.0;
  double kept = 0.0;
  double counted = 0.0;
  for (long long i = threadIdx.x; i < rows; i += blockDim.x) {
    if (labels[i] >= 0) {
      loss += losses[i];
      kept += losses[i] < 1.0 ? 1.0 - losses[i] : 0.0;
      counted += 1.0;
    }
  }
  loss = common_sum(loss, sums);
  kept = common_sum(kept, sums);
  counted = common_sum(counted, sums);
  if (threadIdx.x == 0) {
    metrics[0] += loss;
    metrics[1] += kept;
    metrics[2] += kept;
    metrics[3] += counted;
  }
}

/* Adds to the gradient what pulls rows of parameters to zero: strength w / |w| with lasso, nothing
   where w is zero, else strength w. rows: where each begins, and its length. */
extern "C" __global__ void secateur_group_penalty(const float *p, float *grad, const int *rows,
                                                  const float *strengths, int lasso,
                                                  long long count) {
  __shared__ double sums[256];
  for (long long row = blockIdx.x; row < count; row += gridDim.x) {
    const float *w = p + rows[2 * row];
    float *g = grad + rows[2 * row];
    int length = rows[2 * row + 1];
    double factor = (double)strengths[row];
    if (lasso) {
      double square = 0.0;
      for (int i = threadIdx.x; i < length; i += blockDim.x) {
        square += (double)w[i] * (double)w[i];
      }
      double norm = sqrt(common_sum(square, sums));
      factor = norm == 0.0 ? 0.0 : factor / norm;
    }
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
      g[i] += (float)(factor * (double)w[i]);
    }
  }
}
