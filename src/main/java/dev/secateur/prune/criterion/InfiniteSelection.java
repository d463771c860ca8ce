package dev.secateur.prune.criterion;

import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.Moments;
import java.util.Arrays;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;

/**
 * Infinite feature selection (Roffo, Melzi and Cristani, ICCV 2015). Features are nodes of a graph
 * with edges a_ij = α max(σ_i, σ_j) + (1 - α)(1 - |c_ij|), σ scaled to 0..1; a feature's score sums
 * the weight of all paths from it, of any length: the row sums of (I - rA)⁻¹ - I with r = 0.9 /
 * ρ(A).
 *
 * <p>The paper's c is Spearman's rank correlation, which needs all samples at once; here it is
 * Pearson's, which streams. The sums are solved for on the host (I - rA is positive definite) in
 * the place of the paper's inverse.
 */
final class InfiniteSelection {
  /** Weight of the spread against the correlation. */
  private static final double ALPHA = 0.5;

  /** r ρ(A), as in the authors' code. */
  private static final double SHRINK = 0.9;

  private InfiniteSelection() {}

  static float[] scores(CrossProducts sums) {
    double[] deviations = Moments.of(sums).deviations();
    int p = deviations.length;
    if (Arrays.stream(deviations).allMatch(v -> v == 0)) {
      return new float[p]; // the graph would join all features by the same edge
    }
    double[] a = graph(deviations, Moments.correlations(sums));
    return Host.floats(pathSums(DMatrixRMaj.wrap(p, p, a)));
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

  /** ((I - rA)⁻¹ - I) 1 of a symmetric matrix without negative elements, which is destroyed. */
  private static double[] pathSums(DMatrixRMaj a) {
    int p = a.numRows;
    double rho = Host.spectralRadius(a);
    if (rho == 0) {
      return new double[p];
    }
    CommonOps_DDRM.scale(-SHRINK / rho, a);
    for (int j = 0; j < p; j++) {
      a.add(j, j, 1);
    }
    DMatrixRMaj ones = new DMatrixRMaj(p, 1);
    CommonOps_DDRM.fill(ones, 1);
    double[] x = Host.solve(a, ones).data;
    for (int j = 0; j < p; j++) {
      x[j] -= 1;
    }
    return x;
  }
}
