package dev.secateur.pls;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.tensor.Tensor;

/**
 * First and second moments of features and classes, in double precision on the host, for rankings
 * other than PLS.
 *
 * @param samples n
 * @param counts samples by class (q)
 * @param means by feature (p)
 * @param deviations standard deviations (ddof 1) by feature (p); 0 for a feature that does not vary
 * @param classSums row-major (q,p): the sum over a class's samples of a feature minus its mean
 */
public record Moments(
    double samples, double[] counts, double[] means, double[] deviations, double[] classSums) {

  /** Reads what has been gathered. */
  public static Moments of(CrossProducts sums) {
    Device d = sums.device();
    sums.finish();
    double n = d.downloadDoubles(sums.samples())[0];
    double[] counts = d.downloadDoubles(sums.sumY());
    double[] sum = d.downloadDoubles(sums.sumX());
    double[] squares = d.downloadDoubles(sums.squares());
    double[] shift = d.downloadDoubles(sums.shift());
    double[] classSums = d.downloadDoubles(sums.crossYx());
    int p = sum.length;
    double[] means = new double[p];
    double[] deviations = new double[p];
    for (int j = 0; j < p; j++) {
      means[j] = sum[j] / n + shift[j];
      double spread = squares[j] - sum[j] * sum[j] / n;
      // as Device.inverseDeviation: less than this is rounding
      deviations[j] = spread > 1e-7 * squares[j] && n > 1 ? Math.sqrt(spread / (n - 1)) : 0;
      for (int k = 0; k < counts.length; k++) {
        classSums[k * p + j] =
            deviations[j] == 0 ? 0 : classSums[k * p + j] - counts[k] * sum[j] / n;
      }
    }
    return new Moments(n, counts, means, deviations, classSums);
  }

  /** Number of features. */
  public int features() {
    return means.length;
  }

  /** Number of classes, those without samples too. */
  public int classes() {
    return counts.length;
  }

  /**
   * The correlations of features with each other, row-major (p,p), symmetric; 0 in the rows and
   * columns of features that do not vary. The device forms them; p² doubles come to the host.
   */
  public static double[] correlations(CrossProducts sums) {
    Device d = sums.device();
    sums.finish();
    int p = sums.features();
    double[] out;
    try (Arena arena = d.newArena()) {
      Tensor factor = arena.doubles(p);
      Tensor product = sums.product(arena);
      d.pls().inverseDeviation(sums.squares(), sums.sumX(), sums.samples(), 1, factor).launch();
      d.pls()
          .standardize(product, sums.sumX(), sums.sumX(), sums.samples(), factor, factor, product)
          .launch();
      out = d.downloadDoubles(product);
    }
    Moments moments = of(sums);
    for (int i = 0; i < p; i++) {
      for (int j = 0; j < p; j++) {
        boolean vary = moments.deviations[i] > 0 && moments.deviations[j] > 0;
        out[i * p + j] = vary ? out[i * p + j] / (moments.samples - 1) : 0;
      }
      out[i * p + i] = moments.deviations[i] > 0 ? 1 : 0;
    }
    return out;
  }
}
