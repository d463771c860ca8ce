package dev.secateur.device.cpu;

import dev.secateur.SecateurException;
import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.Matrices;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.openblas.global.openblas;

/** Matrix kernels by OpenBLAS and LAPACK. */
final class BlasMatrices implements Matrices {
  private static final int ROW_MAJOR = openblas.CblasRowMajor;
  private static final int TRANS = openblas.CblasTrans;
  private static final int NO_TRANS = openblas.CblasNoTrans;
  private static final int TILE = 64;

  @Override
  public Contract contract() {
    return CpuDevice.CONTRACT;
  }

  @Override
  public Kernel compileGemm(
      boolean transposeA,
      boolean transposeB,
      double alpha,
      Tensor a,
      Tensor b,
      double beta,
      Tensor c) {
    DType type = c.dtype();
    int m = c.shape().size(0);
    int n = c.shape().size(1);
    int k = a.shape().size(transposeA ? 0 : 1);
    int lda = a.shape().size(1);
    int ldb = b.shape().size(1);
    int ta = transposeA ? TRANS : NO_TRANS;
    int tb = transposeB ? TRANS : NO_TRANS;
    boolean vectorB = n == 1;
    boolean vector = vectorB || m == 1; // one row or column: a matrix times a vector
    Tensor matrix = vectorB ? a : b;
    int rows = matrix.shape().size(0);
    int columns = matrix.shape().size(1);
    // C = op(A) b, or Cᵀ = op(B)ᵀ a
    int t = (vectorB ? transposeA : !transposeB) ? TRANS : NO_TRANS;
    if (type == DType.F32) {
      FloatPointer pa = CpuBuffer.floats(a);
      FloatPointer pb = CpuBuffer.floats(b);
      FloatPointer pc = CpuBuffer.floats(c);
      float al = (float) alpha;
      float be = (float) beta;
      if (vector) {
        FloatPointer pm = vectorB ? pa : pb;
        FloatPointer pv = vectorB ? pb : pa;
        return () ->
            openblas.cblas_sgemv(ROW_MAJOR, t, rows, columns, al, pm, columns, pv, 1, be, pc, 1);
      }
      return () ->
          openblas.cblas_sgemm(ROW_MAJOR, ta, tb, m, n, k, al, pa, lda, pb, ldb, be, pc, n);
    }
    DoublePointer pa = CpuBuffer.doubles(a);
    DoublePointer pb = CpuBuffer.doubles(b);
    DoublePointer pc = CpuBuffer.doubles(c);
    if (vector) {
      DoublePointer pm = vectorB ? pa : pb;
      DoublePointer pv = vectorB ? pb : pa;
      return () ->
          openblas.cblas_dgemv(ROW_MAJOR, t, rows, columns, alpha, pm, columns, pv, 1, beta, pc, 1);
    }
    return () ->
        openblas.cblas_dgemm(ROW_MAJOR, ta, tb, m, n, k, alpha, pa, lda, pb, ldb, beta, pc, n);
  }

  @Override
  public Kernel compileSyrk(double alpha, Tensor a, double beta, Tensor c) {
    DType type = c.dtype();
    int n = a.shape().size(0);
    int p = a.shape().size(1);
    int upper = openblas.CblasUpper;
    int trans = openblas.CblasTrans;
    if (type == DType.F32) {
      FloatPointer pa = CpuBuffer.floats(a);
      FloatPointer pc = CpuBuffer.floats(c);
      float al = (float) alpha;
      float be = (float) beta;
      Kernel mirror = mirrorFloats(c, p);
      return () -> {
        openblas.cblas_ssyrk(ROW_MAJOR, upper, trans, p, n, al, pa, p, be, pc, p);
        mirror.launch();
      };
    }
    DoublePointer pa = CpuBuffer.doubles(a);
    DoublePointer pc = CpuBuffer.doubles(c);
    Kernel mirror = mirrorDoubles(c, p);
    return () -> {
      openblas.cblas_dsyrk(ROW_MAJOR, upper, trans, p, n, alpha, pa, p, beta, pc, p);
      mirror.launch();
    };
  }

  @Override
  public Kernel compileEigenSymmetric(Tensor a, Tensor eigenvalues) {
    int n = a.shape().size(0);
    DoublePointer pa = CpuBuffer.doubles(a);
    DoublePointer pw = CpuBuffer.doubles(eigenvalues);
    // column-major columns are row-major rows, and a symmetric matrix is its own transpose
    int columns = openblas.LAPACK_COL_MAJOR;
    return () -> {
      int info = openblas.LAPACKE_dsyevd(columns, (byte) 'V', (byte) 'U', n, pa, n, pw);
      if (info != 0) {
        throw new SecateurException(
            "no eigenvectors of a "
                + n
                + "x"
                + n
                + " matrix: it holds NaN or infinity, or the iteration does not converge (LAPACK "
                + info
                + ")");
      }
    };
  }

  /** Copies the upper triangle to the lower one, tile by tile through heap memory. */
  private static Kernel mirrorFloats(Tensor c, int p) {
    int tiles = (p + TILE - 1) / TILE;
    FloatBuffer[] panel = new FloatBuffer[tiles];
    for (int i = 0; i < tiles; i++) {
      int rows = Math.min(TILE, p - i * TILE);
      panel[i] = CpuViews.floats(c, (long) i * TILE * p, Math.multiplyExact(rows, p));
    }
    float[][] read = new float[CpuParallel.slots()][TILE];
    float[][] turned = new float[CpuParallel.slots()][TILE * TILE];
    CpuParallel.Body body =
        (i, slot) -> {
          int rows = Math.min(TILE, p - i * TILE);
          for (int j = i; j < tiles; j++) {
            int columns = Math.min(TILE, p - j * TILE);
            float[] line = read[slot];
            float[] tile = turned[slot];
            for (int r = 0; r < rows; r++) {
              panel[i].get(r * p + j * TILE, line, 0, columns);
              for (int k = 0; k < columns; k++) {
                tile[k * TILE + r] = line[k];
              }
            }
            for (int k = 0; k < columns; k++) {
              // on the diagonal only what lies left of it
              int length = i == j ? Math.min(k, rows) : rows;
              panel[j].put(k * p + i * TILE, tile, k * TILE, length);
            }
          }
        };
    return () -> CpuParallel.run(tiles, (long) p * p / 2, body);
  }

  private static Kernel mirrorDoubles(Tensor c, int p) {
    int tiles = (p + TILE - 1) / TILE;
    DoubleBuffer[] panel = new DoubleBuffer[tiles];
    for (int i = 0; i < tiles; i++) {
      int rows = Math.min(TILE, p - i * TILE);
      panel[i] = CpuViews.doubles(c, (long) i * TILE * p, Math.multiplyExact(rows, p));
    }
    double[][] read = new double[CpuParallel.slots()][TILE];
    double[][] turned = new double[CpuParallel.slots()][TILE * TILE];
    CpuParallel.Body body =
        (i, slot) -> {
          int rows = Math.min(TILE, p - i * TILE);
          for (int j = i; j < tiles; j++) {
            int columns = Math.min(TILE, p - j * TILE);
            double[] line = read[slot];
            double[] tile = turned[slot];
            for (int r = 0; r < rows; r++) {
              panel[i].get(r * p + j * TILE, line, 0, columns);
              for (int k = 0; k < columns; k++) {
                tile[k * TILE + r] = line[k];
              }
            }
            for (int k = 0; k < columns; k++) {
              int length = i == j ? Math.min(k, rows) : rows;
              panel[j].put(k * p + i * TILE, tile, k * TILE, length);
            }
          }
        };
    return () -> CpuParallel.run(tiles, (long) p * p / 2, body);
  }
}
