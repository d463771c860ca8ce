package dev.secateur.prune.criterion;

import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.Moments;
import java.util.Arrays;

/**
 * The lasso (Tibshirani, Regression Shrinkage and Selection via the Lasso, 1996) for all classes at
 * once, as a group lasso with a group for each feature (Yuan and Lin, 2006; Obozinski, Taskar and
 * Jordan, 2010): ½ tr(Bᵀ R_xx B) - tr(Bᵀ R_xy) + α Σ_j ‖B_j‖ on the correlations of features and
 * one-hot labels, by block coordinate descent (Friedman, Hastie and Tibshirani, 2010).
 *
 * <p>α is a hundredth of the one that leaves no feature. Many B_j are then zero, and one threshold
 * could not tell them apart: the score is ‖B_j + (R_xy - R_xx B)_j‖, what the last step shrinks by
 * α. It is ‖B_j‖ + α for a feature that is in, and at most α, the less the farther from coming in,
 * for one that is not. p x p work on the host.
 */
final class Lasso {
  private static final double PART = 0.01;
  private static final int SWEEPS = 5_000;

  private Lasso() {}

  static float[] scores(CrossProducts sums) {
    return scores(sums, PART);
  }

  /**
   * @param part of the smallest α that leaves no feature
   */
  static float[] scores(CrossProducts sums, double part) {
    Moments m = Moments.of(sums);
    double[] xx = Moments.correlations(sums);
    int p = m.features();
    int q = m.classes();
    double[] left = labelCorrelations(m); // R_xy - R_xx B, a row for each feature
    double[] b = new double[p * q];
    double largest = 0;
    for (int j = 0; j < p; j++) {
      largest = Math.max(largest, norm(left, j, q));
    }
    if (largest == 0) {
      return new float[p]; // no feature varies with the labels
    }
    double alpha = part * largest;
    double[] step = new double[q];
    double change = Double.MAX_VALUE;
    for (int sweep = 0; sweep < SWEEPS && change > 1e-8 * largest; sweep++) {
      change = 0;
      for (int j = 0; j < p; j++) {
        change = Math.max(change, update(xx, left, b, j, q, alpha, step));
      }
    }
    float[] out = new float[p];
    for (int j = 0; j < p; j++) {
      double square = 0;
      for (int k = j * q; k < (j + 1) * q; k++) {
        square += (b[k] + left[k]) * (b[k] + left[k]);
      }
      out[j] = (float) Math.sqrt(square);
    }
    return out;
  }

  /** Minimises over one feature's coefficients; returns how far they went. */
  private static double update(
      double[] xx, double[] left, double[] b, int j, int q, double alpha, double[] step) {
    int p = b.length / q;
    double square = 0;
    for (int k = 0; k < q; k++) {
      double z = b[j * q + k] + left[j * q + k];
      square += z * z;
    }
    double keep = square == 0 ? 0 : Math.max(0, 1 - alpha / Math.sqrt(square));
    double moved = 0;
    for (int k = 0; k < q; k++) {
      step[k] = keep * (b[j * q + k] + left[j * q + k]) - b[j * q + k];
      b[j * q + k] += step[k];
      moved += step[k] * step[k];
    }
    if (moved > 0) {
      for (int i = 0; i < p; i++) {
        double r = xx[j * p + i];
        for (int k = 0; k < q; k++) {
          left[i * q + k] -= r * step[k];
        }
      }
    }
    return Math.sqrt(moved);
  }

  /** (p,q); 0 where either does not vary. */
  private static double[] labelCorrelations(Moments m) {
    int p = m.features();
    int q = m.classes();
    double n = m.samples();
    double[] out = new double[p * q];
    for (int k = 0; k < q; k++) {
      double share = m.counts()[k] / n;
      double deviation = Math.sqrt(share * (1 - share) * n / (n - 1));
      for (int j = 0; j < p; j++) {
        double scale = m.deviations()[j] * deviation * (n - 1);
        out[j * q + k] = scale == 0 ? 0 : m.classSums()[k * p + j] / scale;
      }
    }
    return out;
  }

  private static double norm(double[] rows, int j, int q) {
    return Math.sqrt(Arrays.stream(rows, j * q, (j + 1) * q).map(v -> v * v).sum());
  }
}
