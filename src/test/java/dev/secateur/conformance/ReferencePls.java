package dev.secateur.conformance;

/** The operations behind PLS in double precision. */
final class ReferencePls {
  private ReferencePls() {}

  /** Adds rows that count to the sums; returns them shifted, the others 0. */
  static double[] accumulateFeatures(
      double[] x, int[] labels, double[] shift, double[] sums, double[] counts, double[] squares) {
    int p = shift.length;
    double[] out = new double[x.length];
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] >= 0) {
        counts[labels[i]]++;
        for (int j = 0; j < p; j++) {
          double v = x[i * p + j] - shift[j];
          out[i * p + j] = v;
          sums[labels[i] * p + j] += v;
          squares[j] += v * v;
        }
      }
    }
    return out;
  }

  static double[] standardize(
      double[] m, double[] sumI, double[] sumJ, double n, double[] factorI, double[] factorJ) {
    double[] out = new double[m.length];
    for (int k = 0; k < m.length; k++) {
      int i = k / sumJ.length;
      int j = k % sumJ.length;
      out[k] = (m[k] - sumI[i] * sumJ[j] / n) * factorI[i] * factorJ[j];
    }
    return out;
  }

  /**
   * Standard deviation (ddof 1) to the power of -power of each column of observations, from its two
   * passes.
   */
  static double[] inverseDeviation(double[] a, int rows, double power) {
    int columns = a.length / rows;
    double[] out = new double[columns];
    for (int j = 0; j < columns; j++) {
      double mean = 0;
      for (int i = 0; i < rows; i++) {
        mean += a[i * columns + j];
      }
      mean /= rows;
      double spread = 0;
      for (int i = 0; i < rows; i++) {
        spread += (a[i * columns + j] - mean) * (a[i * columns + j] - mean);
      }
      out[j] = spread == 0 ? 1 : 1 / Math.pow(Math.sqrt(spread / (rows - 1)), power);
    }
    return out;
  }

  static double[] vip(double[] w, double[] s) {
    int p = w.length / s.length;
    double[] out = new double[p];
    double total = 0;
    for (int a = 0; a < s.length; a++) {
      double norm = 0;
      for (int j = 0; j < p; j++) {
        norm += w[a * p + j] * w[a * p + j];
      }
      for (int j = 0; j < p; j++) {
        out[j] += s[a] * w[a * p + j] * w[a * p + j] / norm;
      }
      total += s[a];
    }
    for (int j = 0; j < p; j++) {
      out[j] = Math.sqrt(p * out[j] / total);
    }
    return out;
  }
}
