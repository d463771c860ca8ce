package dev.secateur.prune.criterion;

import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.CholeskyDecomposition_F64;
import org.ejml.interfaces.decomposition.EigenDecomposition_F64;

/**
 * The rank of a matrix of floats as numpy.linalg.matrix_rank and torch.linalg.matrix_rank define
 * it: the number of singular values above the largest times max(rows, columns) times the spacing of
 * floats at 1.
 *
 * <p>The squares of the singular values are the eigenvalues of the smaller of AAᵀ and AᵀA, in
 * double precision, which keeps them apart well below that threshold; without eigenvectors they
 * take less time than a singular value decomposition. Not safe for several threads.
 */
final class MatrixRank {
  private final int rows;
  private final int columns;
  private final DMatrixRMaj gram;
  private final DMatrixRMaj shifted;
  private final CholeskyDecomposition_F64<DMatrixRMaj> cholesky;
  private final EigenDecomposition_F64<DMatrixRMaj> eigen;

  MatrixRank(int rows, int columns) {
    this.rows = rows;
    this.columns = columns;
    int n = Math.min(rows, columns);
    gram = new DMatrixRMaj(n, n);
    shifted = new DMatrixRMaj(n, n);
    cholesky = DecompositionFactory_DDRM.chol(n, true);
    eigen = DecompositionFactory_DDRM.eig(n, false, true);
  }

  /**
   * The rank of the row-major matrix that begins at {@code from}.
   *
   * @throws ArithmeticException for numbers that are not finite
   */
  int of(float[] values, int from) {
    double trace = multiply(values, from);
    if (trace == 0) {
      return 0;
    }
    double tolerance = Math.max(rows, columns) * (double) Math.ulp(1f);
    if (full(trace * tolerance * tolerance)) {
      return gram.numRows;
    }
    if (!eigen.decompose(gram)) {
      throw new ArithmeticException("no eigenvalues are found");
    }
    int n = eigen.getNumberOfEigenvalues();
    double largest = 0;
    for (int i = 0; i < n; i++) {
      largest = Math.max(largest, eigen.getEigenvalue(i).real);
    }
    int rank = 0;
    for (int i = 0; i < n; i++) {
      rank += eigen.getEigenvalue(i).real > largest * tolerance * tolerance ? 1 : 0;
    }
    return rank;
  }

  /**
   * Whether every eigenvalue is above a number, here one that is at least the threshold, as the
   * trace is at least the largest eigenvalue. It spares the eigenvalues of a matrix of full rank.
   */
  private boolean full(double number) {
    shifted.setTo(gram);
    for (int i = 0; i < shifted.numRows; i++) {
      shifted.add(i, i, -number);
    }
    return cholesky.decompose(shifted);
  }

  /** Fills {@link #gram} and returns its trace, which is 0 when all is zero. */
  private double multiply(float[] a, int from) {
    boolean wide = rows <= columns;
    int step = wide ? columns : 1;
    int inner = wide ? 1 : columns;
    int length = Math.max(rows, columns);
    double trace = 0;
    for (int i = 0; i < gram.numRows; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = 0;
        for (int k = 0; k < length; k++) {
          sum += (double) a[from + i * step + k * inner] * a[from + j * step + k * inner];
        }
        gram.set(i, j, sum);
        gram.set(j, i, sum);
      }
      trace += gram.get(i, i);
    }
    if (!Double.isFinite(trace)) {
      throw new ArithmeticException("not all numbers are finite");
    }
    return trace;
  }
}
