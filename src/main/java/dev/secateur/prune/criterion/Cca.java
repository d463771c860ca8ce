package dev.secateur.prune.criterion;

import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.Moments;
import java.util.Arrays;
import org.ejml.data.DMatrixRMaj;

/**
 * Canonical correlation analysis of the features and the one-hot labels (Hotelling, Relations
 * between Two Sets of Variates, 1936), with the ridge of Vinod (Canonical ridge and econometrics of
 * joint production, 1976) because features repeat each other. With canonical correlations ρ_a and
 * weights w_a of the standardised features, variates of unit variance, the score of feature j is
 * sqrt(Σ_a (ρ_a w_ja)²).
 *
 * <p>All variates taken together need no eigenvectors: with B = (C_xx + λI)⁻¹ C_xy it is the norm
 * of B_j C_yy^(-1/2), and for one-hot labels of shares π that is sqrt(Σ_k B_jk² / π_k). p x p work
 * on the host (Cholesky).
 */
final class Cca {
  private static final double RIDGE = 1e-3;

  private Cca() {}

  static float[] scores(CrossProducts sums) {
    return scores(sums, RIDGE);
  }

  /**
   * @param ridge added to the features' variances of 1
   */
  static float[] scores(CrossProducts sums, double ridge) {
    Moments m = Moments.of(sums);
    int p = m.features();
    double[] a = Moments.correlations(sums);
    for (int j = 0; j < p; j++) {
      a[j * p + j] = 1 + ridge; // also for features that do not vary: their scores become 0
    }
    int q = m.classes();
    double n = m.samples();
    DMatrixRMaj right = new DMatrixRMaj(p, q);
    for (int j = 0; j < p; j++) {
      double deviation = m.deviations()[j];
      for (int k = 0; k < q; k++) {
        double sum = m.classSums()[k * p + j];
        right.set(j, k, deviation == 0 ? 0 : sum / (n - 1) / deviation);
      }
    }
    DMatrixRMaj b = Host.solve(DMatrixRMaj.wrap(p, p, a), right);
    double[] out = new double[p];
    for (int k = 0; k < q; k++) {
      double count = m.counts()[k];
      for (int j = 0; j < p && count > 0; j++) {
        out[j] += b.get(j, k) * b.get(j, k) * (n - 1) / count; // π as a covariance of ddof 1
      }
    }
    return Host.floats(Arrays.stream(out).map(Math::sqrt).toArray());
  }
}
