package dev.secateur.prune.criterion;

/**
 * The rank of a matrix of floats as numpy.linalg.matrix_rank and torch.linalg.matrix_rank define
 * it: the number of singular values above the largest times max(rows, columns) times the spacing of
 * floats at 1.
 *
 * <p>Singular values are not computed: their squares are the eigenvalues of the smaller of AAᵀ and
 * AᵀA, in double precision, which keeps them apart well below that threshold; the matrix is brought
 * to tridiagonal form (Householder; Golub and Van Loan, chapter 8) and the eigenvalues above a
 * number are counted by signs (Sturm). Not safe for several threads.
 */
final class MatrixRank {
  private final int rows;
  private final int columns;
  private final int n;
  private final double[] gram;
  private final double[] diagonal;
  private final double[] beside;
  private final double[] vector;
  private final double[] image;

  MatrixRank(int rows, int columns) {
    this.rows = rows;
    this.columns = columns;
    n = Math.min(rows, columns);
    gram = new double[n * n];
    diagonal = new double[n];
    beside = new double[n];
    vector = new double[n];
    image = new double[n];
  }

  /** The rank of the row-major matrix that begins at {@code from}. */
  int of(float[] values, int from) {
    if (!multiply(values, from)) {
      return 0;
    }
    tridiagonal();
    double largest = largest();
    double tolerance = Math.max(rows, columns) * (double) Math.ulp(1f);
    return above(largest * tolerance * tolerance);
  }

  /** Fills {@link #gram}; false when all is zero. */
  private boolean multiply(float[] a, int from) {
    boolean wide = rows <= columns;
    int step = wide ? columns : 1;
    int inner = wide ? 1 : columns;
    int length = Math.max(rows, columns);
    boolean any = false;
    for (int i = 0; i < n; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = 0;
        for (int k = 0; k < length; k++) {
          sum += (double) a[from + i * step + k * inner] * a[from + j * step + k * inner];
        }
        gram[i * n + j] = sum;
        gram[j * n + i] = sum;
        any |= sum != 0;
      }
    }
    return any;
  }

  private void tridiagonal() {
    for (int k = 0; k < n - 1; k++) {
      double norm = 0;
      for (int i = k + 1; i < n; i++) {
        vector[i] = gram[i * n + k];
        norm += vector[i] * vector[i];
      }
      norm = Math.sqrt(norm);
      beside[k] = vector[k + 1] > 0 ? -norm : norm;
      diagonal[k] = gram[k * n + k];
      vector[k + 1] -= beside[k];
      double square = 0;
      for (int i = k + 1; i < n; i++) {
        square += vector[i] * vector[i];
      }
      if (square > 0) {
        reflect(k + 1, 2 / square);
      }
    }
    diagonal[n - 1] = gram[n * n - 1];
  }

  /** A = H A H on the part from {@code first}, H = I - factor v vᵀ. */
  private void reflect(int first, double factor) {
    double along = 0;
    for (int i = first; i < n; i++) {
      double sum = 0;
      for (int j = first; j < n; j++) {
        sum += gram[i * n + j] * vector[j];
      }
      image[i] = factor * sum;
      along += image[i] * vector[i];
    }
    for (int i = first; i < n; i++) {
      image[i] -= factor * along / 2 * vector[i];
    }
    for (int i = first; i < n; i++) {
      for (int j = first; j < n; j++) {
        gram[i * n + j] -= vector[i] * image[j] + image[i] * vector[j];
      }
    }
  }

  /** The largest eigenvalue by bisection, to 12 digits. */
  private double largest() {
    double high = 0;
    for (int i = 0; i < n; i++) {
      double reach = (i > 0 ? Math.abs(beside[i - 1]) : 0) + (i < n - 1 ? Math.abs(beside[i]) : 0);
      high = Math.max(high, diagonal[i] + reach);
    }
    double low = 0;
    while (high - low > 1e-12 * high) {
      double middle = (low + high) / 2;
      if (above(middle) > 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return high;
  }

  /** Number of eigenvalues above x. */
  private int above(double x) {
    int count = 0;
    double d = 1;
    for (int i = 0; i < n; i++) {
      double b = i == 0 ? 0 : beside[i - 1];
      d = diagonal[i] - x - b * b / (d == 0 ? Double.MIN_NORMAL : d);
      count += d > 0 ? 1 : 0;
    }
    return count;
  }
}
