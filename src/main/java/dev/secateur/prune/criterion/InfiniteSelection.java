package dev.secateur.prune.criterion;

import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.Moments;
import java.util.Arrays;

/**
 * Infinite feature selection (Roffo, Melzi and Cristani, ICCV 2015). Features are nodes of a graph
 * with edges a_ij = α max(σ_i, σ_j) + (1 - α)(1 - |c_ij|), σ scaled to 0..1; a feature's score sums
 * the weight of all paths from it, of any length: the row sums of (I - rA)⁻¹ - I with r = 0.9 /
 * ρ(A).
 *
 * <p>The paper's c is Spearman's rank correlation, which needs all samples at once; here it is
 * Pearson's, which streams. The sums are solved for by conjugate gradients on the host (I - rA is
 * positive definite), in O(p²) a step instead of the paper's O(p³) inverse.
 */
final class InfiniteSelection {
  /** Weight of the spread against the correlation. */
  private static final double ALPHA = 0.5;

  /** r ρ(A), as in the authors' code. */
  private static final double SHRINK = 0.9;

  private InfiniteSelection() {}

  static float[] scores(CrossProducts sums) {
    double[] a = graph(Moments.of(sums).deviations(), Moments.correlations(sums));
    return Host.floats(pathSums(a, (int) Math.round(Math.sqrt(a.length))));
  }

  private static double[] graph(double[] deviations, double[] a) {
    int p = deviations.length;
    double min = Arrays.stream(deviations).min().orElseThrow();
    double range = Arrays.stream(deviations).max().orElseThrow() - min;
    for (int i = 0; i < p; i++) {
      for (int j = 0; j < p; j++) {
        double spread = Math.max(deviations[i], deviations[j]) - min;
        double apart = 1 - Math.abs(a[i * p + j]);
        a[i * p + j] = ALPHA * (range == 0 ? 0 : spread / range) + (1 - ALPHA) * apart;
      }
    }
    return a;
  }

  /** ((I - rA)⁻¹ - I) 1 of a symmetric matrix without negative elements. */
  private static double[] pathSums(double[] a, int p) {
    double rho = Host.spectralRadius(a, p);
    double[] x = new double[p];
    if (rho == 0) {
      return x;
    }
    double[] residual = new double[p];
    Arrays.fill(residual, 1);
    double[] direction = residual.clone();
    double[] image = new double[p];
    double square = p;
    for (int step = 0; step < 10 * p + 100 && square > 1e-24 * p; step++) {
      Host.multiply(a, direction, image);
      for (int i = 0; i < p; i++) {
        image[i] = direction[i] - SHRINK / rho * image[i];
      }
      double length = square / Host.dot(direction, image);
      for (int i = 0; i < p; i++) {
        x[i] += length * direction[i];
        residual[i] -= length * image[i];
      }
      double next = Host.dot(residual, residual);
      for (int i = 0; i < p; i++) {
        direction[i] = residual[i] + next / square * direction[i];
      }
      square = next;
    }
    for (int i = 0; i < p; i++) {
      x[i] -= 1;
    }
    return x;
  }
}
