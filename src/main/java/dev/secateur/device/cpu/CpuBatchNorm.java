package dev.secateur.device.cpu;

import dev.secateur.device.Arena;
import dev.secateur.device.BatchNormTraining;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Batch norm of any channel count with batch statistics: oneDNN has fast code for multiples of 16
 * only, which pruned networks rarely have. An activation, channels innermost, is cut into a fixed
 * number of tasks and these into periods of some whole pixels, which are copied into heap arrays
 * that stay in the cache. The compiler turns loops into vector code only where every array is read
 * at the same index: hence coefficients as long as a period, and no offsets.
 */
final class CpuBatchNorm {
  private static final int PERIOD = 2048;
  private static final int MOST_TASKS = 32;
  private static final int PERIODS_PER_TASK = 16;

  /** Larger than 1 / the smallest normal float: times it, every positive number exceeds 1. */
  private static final float HUGE = 1.7e38f;

  private final FloatBuffer x;
  private final FloatBuffer y;
  private final FloatBuffer dy;
  private final FloatBuffer dx;
  private final FloatBuffer gamma;
  private final FloatBuffer beta;
  private final FloatBuffer runningMean;
  private final FloatBuffer runningVariance;
  private final FloatBuffer dgamma;
  private final FloatBuffer dbeta;
  private final FloatBuffer mean;
  private final FloatBuffer inverse;
  private final CpuBuffer[] used;
  private final float momentum;
  private final float eps;
  private final boolean relu;
  private final int channels;
  private final int pixels;
  private final int period;
  private final int tasks;
  private final int perTask;
  private final Scratch[] scratch = new Scratch[CpuParallel.slots()];

  /** Each task's two sums by channel, added up in the tasks' order. */
  private final double[][] first;

  private final double[][] second;

  /** Coefficients by position in a period. */
  private final float[] a;

  private final float[] b;
  private final float[] c;

  /** One thread's arrays, a period each: of x, y and dy, and two rows of sums. */
  private record Scratch(float[] x, float[] y, float[] dy, float[] s, float[] t) {}

  /** Activations channels last; see {@link dev.secateur.device.Norms#batchNormTraining}. */
  CpuBatchNorm(BatchNormTraining n, Arena arena) {
    x = CpuViews.floats(n.x());
    y = CpuViews.floats(n.y());
    dy = CpuViews.floats(n.dy());
    dx = CpuViews.floats(n.dx());
    gamma = CpuViews.floats(n.gamma());
    beta = CpuViews.floats(n.beta());
    runningMean = CpuViews.floats(n.runningMean());
    runningVariance = CpuViews.floats(n.runningVariance());
    dgamma = CpuViews.floats(n.dgamma());
    dbeta = CpuViews.floats(n.dbeta());
    used =
        CpuBuffer.distinct(
            n.x(),
            n.gamma(),
            n.beta(),
            n.runningMean(),
            n.runningVariance(),
            n.y(),
            n.dy(),
            n.dx(),
            n.dgamma(),
            n.dbeta());
    momentum = n.momentum();
    eps = n.eps();
    relu = n.relu();
    channels = Math.toIntExact(n.channels());
    pixels = Math.toIntExact(n.rows());
    mean = CpuViews.floats(arena.floats(channels));
    inverse = CpuViews.floats(arena.floats(channels));
    period = channels * Math.max(1, PERIOD / channels);
    int periods = (pixels * channels + period - 1) / period;
    int wanted = Math.max(1, Math.min(MOST_TASKS, periods / PERIODS_PER_TASK));
    perTask = period * ((periods + wanted - 1) / wanted);
    tasks = (pixels * channels + perTask - 1) / perTask;
    first = new double[tasks][channels];
    second = new double[tasks][channels];
    a = new float[period];
    b = new float[period];
    c = new float[period];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] =
          new Scratch(
              new float[period],
              new float[period],
              new float[period],
              new float[period],
              new float[period]);
    }
  }

  TrainingKernels kernels() {
    return new TrainingKernels(guarded(true), guarded(false));
  }

  private Kernel guarded(boolean forward) {
    CpuParallel.Body sums = forward ? this::statistics : this::gradientSums;
    CpuParallel.Body writes = forward ? this::normalise : this::gradient;
    long work = (long) pixels * channels;
    return () -> {
      CpuBuffer.requireOpen(used);
      if (forward) {
        for (int i = 0; i < period; i++) {
          a[i] = x.get(i % channels); // the first pixel: near enough to the mean to subtract it
        }
      } else {
        for (int i = 0; i < period; i++) {
          a[i] = mean.get(i % channels);
          b[i] = inverse.get(i % channels);
        }
      }
      CpuParallel.run(tasks, work, sums);
      if (forward) {
        finishStatistics();
      } else {
        finishGradientSums();
      }
      CpuParallel.run(tasks, work, writes);
    };
  }

  private int end(int task) {
    return Math.min(pixels * channels, (task + 1) * perTask);
  }

  private void statistics(int task, int slot) {
    Scratch s = scratch[slot];
    Arrays.fill(s.s(), 0);
    Arrays.fill(s.t(), 0);
    for (int at = task * perTask; at < end(task); at += period) {
      int length = Math.min(period, end(task) - at);
      x.get(at, s.x(), 0, length);
      moments(s.x(), length, a, s.s(), s.t());
    }
    fold(task, s);
  }

  private static void moments(float[] x, int n, float[] a, float[] s, float[] t) {
    for (int j = 0; j < n; j++) {
      float v = x[j] - a[j];
      s[j] += v;
      t[j] += v * v;
    }
  }

  private void fold(int task, Scratch s) {
    Arrays.fill(first[task], 0);
    Arrays.fill(second[task], 0);
    for (int i = 0, channel = 0; i < period; i++) {
      first[task][channel] += s.s()[i];
      second[task][channel] += s.t()[i];
      channel = channel + 1 == channels ? 0 : channel + 1;
    }
  }

  private double total(double[][] sums, int channel) {
    double out = 0;
    for (double[] s : sums) {
      out += s[channel];
    }
    return out;
  }

  private void finishStatistics() {
    double n = pixels;
    for (int k = 0; k < channels; k++) {
      double offset = total(first, k) / n;
      double variance = Math.max(0, total(second, k) / n - offset * offset);
      float m = (float) (a[k] + offset);
      float inv = (float) (1 / Math.sqrt(variance + eps));
      mean.put(k, m);
      inverse.put(k, inv);
      float old = runningMean.get(k);
      runningMean.put(k, old + momentum * (m - old));
      old = runningVariance.get(k);
      runningVariance.put(k, old + momentum * ((float) (variance * n / (n - 1)) - old));
    }
    // y = b x + c
    for (int i = 0; i < period; i++) {
      int k = i % channels;
      b[i] = gamma.get(k) * inverse.get(k);
      c[i] = beta.get(k) - b[i] * mean.get(k);
    }
  }

  private void normalise(int task, int slot) {
    Scratch s = scratch[slot];
    for (int at = task * perTask; at < end(task); at += period) {
      int length = Math.min(period, end(task) - at);
      x.get(at, s.x(), 0, length);
      if (relu) {
        affineRelu(s.x(), length, b, c);
      } else {
        affine(s.x(), length, b, c);
      }
      y.put(at, s.x(), 0, length);
    }
  }

  private static void affine(float[] x, int n, float[] b, float[] c) {
    for (int j = 0; j < n; j++) {
      x[j] = b[j] * x[j] + c[j];
    }
  }

  private static void affineRelu(float[] x, int n, float[] b, float[] c) {
    for (int j = 0; j < n; j++) {
      x[j] = Math.max(0f, b[j] * x[j] + c[j]);
    }
  }

  /** The gradient behind the ReLU of one period, in the thread's dy. */
  private void load(Scratch s, int at, int length) {
    x.get(at, s.x(), 0, length);
    dy.get(at, s.dy(), 0, length);
    if (relu) {
      y.get(at, s.y(), 0, length);
      mask(s.dy(), s.y(), length);
    }
  }

  private static void mask(float[] dy, float[] y, int length) {
    for (int j = 0; j < length; j++) {
      dy[j] *= Math.min(1f, y[j] * HUGE);
    }
  }

  private void gradientSums(int task, int slot) {
    Scratch s = scratch[slot];
    Arrays.fill(s.s(), 0);
    Arrays.fill(s.t(), 0);
    for (int at = task * perTask; at < end(task); at += period) {
      int length = Math.min(period, end(task) - at);
      load(s, at, length);
      products(s.x(), s.dy(), length, a, b, s.s(), s.t());
    }
    fold(task, s);
  }

  private static void products(
      float[] x, float[] dy, int n, float[] a, float[] b, float[] s, float[] t) {
    for (int j = 0; j < n; j++) {
      float g = dy[j];
      s[j] += g;
      t[j] += g * ((x[j] - a[j]) * b[j]);
    }
  }

  private void finishGradientSums() {
    double n = pixels;
    for (int k = 0; k < channels; k++) {
      dbeta.put(k, (float) total(first, k));
      dgamma.put(k, (float) total(second, k));
    }
    // dx = gamma / sd (dy - mean(dy) - xhat mean(dy xhat)) = a dy + b x + c
    for (int i = 0; i < period; i++) {
      int k = i % channels;
      double scale = (double) gamma.get(k) * inverse.get(k);
      double slope = -scale * dgamma.get(k) / n * inverse.get(k);
      a[i] = (float) scale;
      b[i] = (float) slope;
      c[i] = (float) (-scale * dbeta.get(k) / n - slope * mean.get(k));
    }
  }

  private void gradient(int task, int slot) {
    Scratch s = scratch[slot];
    for (int at = task * perTask; at < end(task); at += period) {
      int length = Math.min(period, end(task) - at);
      load(s, at, length);
      combine(s.x(), s.dy(), length, a, b, c);
      dx.put(at, s.dy(), 0, length);
    }
  }

  private static void combine(float[] x, float[] dy, int n, float[] a, float[] b, float[] c) {
    for (int j = 0; j < n; j++) {
      dy[j] = a[j] * dy[j] + (b[j] * x[j] + c[j]);
    }
  }
}
