package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/** Products and eigenvectors of PLAIN matrices, row-major, all F32 or all F64. */
public interface Matrices extends Operations {

  /** C = alpha op(A) op(B) + beta C. */
  default Kernel gemm(
      boolean transposeA,
      boolean transposeB,
      double alpha,
      Tensor a,
      Tensor b,
      double beta,
      Tensor c) {
    Contract.floating("matrices", c);
    Contract.plain("a", a, c.dtype(), 2);
    Contract.plain("b", b, c.dtype(), 2);
    Contract.plain("c", c, c.dtype(), 2);
    boolean fits =
        a.shape().dim(transposeA ? 1 : 0) == c.shape().dim(0)
            && b.shape().dim(transposeB ? 1 : 0) == a.shape().dim(transposeA ? 0 : 1)
            && b.shape().dim(transposeB ? 0 : 1) == c.shape().dim(1);
    that(fits, "shapes must fit op(a) op(b) = c", a, b, c);
    return compileGemm(transposeA, transposeB, alpha, a, b, beta, c);
  }

  Kernel compileGemm(
      boolean transposeA,
      boolean transposeB,
      double alpha,
      Tensor a,
      Tensor b,
      double beta,
      Tensor c);

  /** C = alpha AᵀA + beta C, both triangles valid; A (n,p), C (p,p). */
  default Kernel syrk(double alpha, Tensor a, double beta, Tensor c) {
    Contract.floating("matrices", c);
    Contract.plain("a", a, c.dtype(), 2);
    Contract.plain("c", c, c.dtype(), 2);
    Contract.shape("c", c, Shape.of(a.shape().dim(1), a.shape().dim(1)));
    return compileSyrk(alpha, a, beta, c);
  }

  Kernel compileSyrk(double alpha, Tensor a, double beta, Tensor c);

  /** Eigenvectors of a symmetric F64 (n,n) into its rows, eigenvalues F64 (n) ascending. */
  default Kernel eigenSymmetric(Tensor a, Tensor eigenvalues) {
    Contract.plain("a", a, DType.F64, 2);
    that(a.shape().dim(1) == a.shape().dim(0), "a must be square", a);
    Contract.vector("eigenvalues", eigenvalues, DType.F64, a.shape().dim(0));
    return compileEigenSymmetric(a, eigenvalues);
  }

  Kernel compileEigenSymmetric(Tensor a, Tensor eigenvalues);
}
