package dev.secateur.conformance;

import dev.secateur.tensor.Shape;
import java.util.Optional;

/** Softmax, its cross-entropy and SGD in double precision. */
final class ReferenceLoss {
  private ReferenceLoss() {}

  static double[] softmax(double[] x, int classes) {
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = Math.exp(x[i] - logSum(x, i / classes, classes));
    }
    return y;
  }

  /** Loss of each row; 0 where the label is below 0. */
  static double[] losses(double[] x, Shape xs, int[] labels, double smoothing) {
    int classes = xs.size(1);
    double[] loss = new double[xs.size(0)];
    for (int i = 0; i < loss.length; i++) {
      double log = logSum(x, i, classes);
      for (int k = 0; k < classes && labels[i] >= 0; k++) {
        double target = (k == labels[i] ? 1 - smoothing : 0) + smoothing / classes;
        loss[i] += target * (log - x[i * classes + k]);
      }
    }
    return loss;
  }

  /** By row, how far x is from r over parts of the columns. */
  static double[] imitation(double[] x, double[] r, int[] ends) {
    int columns = ends[ends.length - 1];
    double[] loss = new double[x.length / columns];
    for (int row = 0; row < loss.length; row++) {
      int from = row * columns;
      for (int end : ends) {
        double far = 0;
        double size = 0;
        int to = row * columns + end;
        for (int i = from; i < to; i++) {
          far += Math.pow(x[i] - r[i], 2);
          size += r[i] * r[i];
        }
        loss[row] += far / (size + 1e-12 * (to - from)) / ends.length;
        from = to;
      }
    }
    return loss;
  }

  /** Summed loss, top-1 hits, top-5 hits, rows that count; no ties in x. */
  static double[] metrics(double[] x, Shape xs, int[] labels, double smoothing) {
    int classes = xs.size(1);
    double[] m = new double[4];
    for (double loss : losses(x, xs, labels, smoothing)) {
      m[0] += loss;
    }
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] >= 0) {
        int ahead = 0;
        for (int k = 0; k < classes; k++) {
          ahead += x[i * classes + k] > x[i * classes + labels[i]] ? 1 : 0;
        }
        m[1] += ahead < 1 ? 1 : 0;
        m[2] += ahead < 5 ? 1 : 0;
        m[3]++;
      }
    }
    return m;
  }

  /** One step; p and velocity are replaced. */
  static void sgd(
      double[] p,
      double[] grad,
      double[] velocity,
      double lr,
      double momentum,
      boolean nesterov,
      double weightDecay,
      int decayed) {
    for (int i = 0; i < p.length; i++) {
      double g = grad[i] + (i < decayed ? weightDecay * p[i] : 0);
      velocity[i] = momentum * velocity[i] + g;
      p[i] -= lr * (nesterov ? g + momentum * velocity[i] : velocity[i]);
    }
  }

  /** Summed loss of mixed labels and a teacher; a temperature of 0 for none. */
  static double soft(
      double[] x,
      int classes,
      int[] labels,
      double smoothing,
      Optional<int[]> seconds,
      double[] shares,
      double[] teacher,
      double temperature,
      double weight) {
    double sum = 0;
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] < 0) {
        continue;
      }
      double hard = 0;
      for (int k = 0; k < classes; k++) {
        double share = seconds.isPresent() ? shares[i] : 1;
        double one = k == labels[i] ? share : 0;
        one += seconds.isPresent() && k == seconds.get()[i] ? 1 - share : 0;
        double target = (1 - smoothing) * one + smoothing / classes;
        hard += target * (logSum(x, i, classes) - x[i * classes + k]);
      }
      if (temperature == 0) {
        sum += hard;
        continue;
      }
      double[] own = scaled(x, temperature);
      double[] wise = scaled(teacher, temperature);
      double divergence = 0;
      for (int k = 0; k < classes; k++) {
        double q = own[i * classes + k] - logSum(own, i, classes);
        double p = wise[i * classes + k] - logSum(wise, i, classes);
        divergence += Math.exp(p) * (p - q);
      }
      sum += (1 - weight) * hard + weight * temperature * temperature * divergence;
    }
    return sum;
  }

  private static double[] scaled(double[] x, double temperature) {
    return java.util.Arrays.stream(x).map(v -> v / temperature).toArray();
  }

  private static double logSum(double[] x, int row, int classes) {
    double max = Double.NEGATIVE_INFINITY;
    for (int k = 0; k < classes; k++) {
      max = Math.max(max, x[row * classes + k]);
    }
    double sum = 0;
    for (int k = 0; k < classes; k++) {
      sum += Math.exp(x[row * classes + k] - max);
    }
    return Math.log(sum) + max;
  }
}
