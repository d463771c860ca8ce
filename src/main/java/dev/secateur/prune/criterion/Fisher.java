package dev.secateur.prune.criterion;

import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.Moments;

/**
 * The Fisher score (Duda, Hart and Stork, Pattern Classification, 2001; in this form Gu, Li and
 * Han, Generalized Fisher Score for Feature Selection, UAI 2011): variance between classes over
 * variance within them, Σ n_k (μ_k - μ)² / Σ n_k σ_k².
 */
final class Fisher {
  private Fisher() {}

  static float[] scores(CrossProducts sums) {
    return scores(Moments.of(sums));
  }

  private static float[] scores(Moments m) {
    int p = m.features();
    float[] out = new float[p];
    for (int j = 0; j < p; j++) {
      double total = m.deviations()[j] * m.deviations()[j] * (m.samples() - 1);
      double between = 0;
      for (int k = 0; k < m.classes(); k++) {
        double d = m.classSums()[k * p + j];
        between += m.counts()[k] == 0 ? 0 : d * d / m.counts()[k];
      }
      // within is what is left of the total; a feature that tells classes apart alone has none
      double within = Math.max(total - between, 1e-12 * total);
      out[j] = total == 0 ? 0 : (float) (between / within);
    }
    return out;
  }
}
