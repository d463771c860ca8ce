package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;
import org.ejml.dense.row.decomposition.eig.EigenPowerMethod_DDRM;
import org.ejml.dense.row.factory.LinearSolverFactory_MT_DDRM;
import org.ejml.interfaces.linsol.LinearSolverDense;

/**
 * Small linear algebra on the host (EJML), in double precision, for criteria that serve as
 * comparison. PLS does not come here.
 */
final class Host {
  private static final int STEPS = 10_000;

  /** Of the eigenvector; the eigenvalue is then exact to its square. */
  private static final double TOLERANCE = 1e-9;

  private Host() {}

  /** The largest eigenvalue of a symmetric matrix without negative elements: power iteration. */
  static double spectralRadius(DMatrixRMaj a) {
    if (CommonOps_DDRM.elementMaxAbs(a) == 0) {
      return 0;
    }
    EigenPowerMethod_DDRM power = new EigenPowerMethod_DDRM(a.numRows);
    power.setOptions(STEPS, TOLERANCE);
    power.computeDirect(a);
    DMatrixRMaj v = power.getEigenVector();
    DMatrixRMaj image = new DMatrixRMaj(a.numRows, 1);
    CommonOps_DDRM.mult(a, v, image);
    return CommonOps_DDRM.dot(v, image) / CommonOps_DDRM.dot(v, v);
  }

  /**
   * Solves A X = B by Cholesky's decomposition.
   *
   * @param a (p,p), symmetric and positive definite; destroyed
   * @param b (p,q); destroyed
   * @return (p,q)
   * @throws SecateurException when A is not positive definite
   */
  static DMatrixRMaj solve(DMatrixRMaj a, DMatrixRMaj b) {
    LinearSolverDense<DMatrixRMaj> solver = LinearSolverFactory_MT_DDRM.symmPosDef(a.numRows);
    if (!solver.setA(a)) {
      throw new SecateurException("the features' correlations are not positive definite");
    }
    DMatrixRMaj x = new DMatrixRMaj(b.numRows, b.numCols);
    solver.solve(b, x);
    return x;
  }

  static float[] floats(double[] x) {
    float[] out = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = (float) x[i];
    }
    return out;
  }
}
