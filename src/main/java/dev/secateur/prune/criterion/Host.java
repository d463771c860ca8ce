package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Small linear algebra on the host, in double precision, for criteria that serve as comparison.
 * Matrices are row-major. PLS does not come here.
 */
final class Host {
  private Host() {}

  static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** out = A x, A square. */
  static void multiply(double[] a, double[] x, double[] out) {
    int p = x.length;
    IntStream.range(0, p)
        .parallel()
        .forEach(
            i -> {
              double sum = 0;
              for (int j = 0; j < p; j++) {
                sum += a[i * p + j] * x[j];
              }
              out[i] = sum;
            });
  }

  /** The largest eigenvalue of a symmetric matrix without negative elements: power iteration. */
  static double spectralRadius(double[] a, int p) {
    double[] x = new double[p];
    Arrays.fill(x, 1 / Math.sqrt(p));
    double[] y = new double[p];
    double rho = 0;
    for (int step = 0; step < 10_000; step++) {
      multiply(a, x, y);
      double next = dot(x, y);
      double norm = Math.sqrt(dot(y, y));
      if (norm == 0) {
        return 0;
      }
      for (int i = 0; i < p; i++) {
        x[i] = y[i] / norm;
      }
      if (Math.abs(next - rho) <= 1e-13 * next) {
        return next;
      }
      rho = next;
    }
    return rho;
  }

  /**
   * Solves A X = B for symmetric positive definite A (p,p), destroyed, and B = (q,p), each row a
   * right side, replaced by its solution. Cholesky.
   *
   * @throws SecateurException when A is not positive definite
   */
  static void solve(double[] a, double[] b, int p) {
    for (int i = 0; i < p; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = a[i * p + j];
        for (int k = 0; k < j; k++) {
          sum -= a[i * p + k] * a[j * p + k];
        }
        if (i == j && !(sum > 0)) {
          throw new SecateurException("the features' correlations are not positive definite");
        }
        a[i * p + j] = i == j ? Math.sqrt(sum) : sum / a[j * p + j];
      }
    }
    for (int r = 0; r < b.length; r += p) {
      for (int i = 0; i < p; i++) {
        for (int k = 0; k < i; k++) {
          b[r + i] -= a[i * p + k] * b[r + k];
        }
        b[r + i] /= a[i * p + i];
      }
      for (int i = p - 1; i >= 0; i--) {
        for (int k = i + 1; k < p; k++) {
          b[r + i] -= a[k * p + i] * b[r + k];
        }
        b[r + i] /= a[i * p + i];
      }
    }
  }

  static float[] floats(double[] x) {
    float[] out = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = (float) x[i];
    }
    return out;
  }
}
