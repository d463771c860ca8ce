package dev.secateur.device.cuda;

import static jcuda.jcublas.JCublas2.*;

import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.Matrices;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import dev.secateur.util.Cleanup;
import java.util.List;
import jcuda.Pointer;
import jcuda.jcublas.cublasFillMode;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.cudaStream_t;

/**
 * Products of matrices by cuBLAS, eigenvectors by cuSolver. cuBLAS takes columns first: a row-major
 * matrix is its transpose there, so C = A B is asked for as Cᵀ = Bᵀ Aᵀ. cuBLAS has its scratch
 * memory from us: it would otherwise allocate some at a call, within a graph one for each.
 */
final class CublasMatrices implements Matrices {
  private final Contract contract;
  private final CudaContext context;
  private final CudaKernels kernels;
  private final CudaEigen eigen;
  private final cublasHandle handle = new cublasHandle();
  private final Cleanup closers = new Cleanup();
  private final DevicePointer workspace;

  CublasMatrices(
      Contract contract, CudaContext context, CudaKernels kernels, CudaWorkspace scratch) {
    this.contract = contract;
    this.context = context;
    this.kernels = kernels;
    context.enter();
    Status.cublas(cublasCreate(handle), "opening cuBLAS (cublasCreate)");
    closers.add(() -> Status.cublas(cublasDestroy(handle), "closing cuBLAS (cublasDestroy)"));
    try {
      Status.cublas(
          cublasSetStream(handle, new cudaStream_t(context.stream())),
          "opening cuBLAS (cublasSetStream)");
      long bytes = context.capability() >= 90 ? 32L << 20 : 4L << 20; // as cuBLAS itself would take
      workspace = context.allocateShared(bytes);
      closers.add(() -> context.freeShared(workspace));
      Status.cublas(
          cublasSetWorkspace(handle, workspace, bytes), "opening cuBLAS (cublasSetWorkspace)");
      eigen = new CudaEigen(context, scratch);
      closers.add(eigen::close);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  @Override
  public Contract contract() {
    return contract;
  }

  /** cuBLAS' handle, for linear layers. */
  cublasHandle handle() {
    return handle;
  }

  String version() {
    int[] v = new int[1];
    Status.cublas(cublasGetVersion(handle, v), "asking cuBLAS' version (cublasGetVersion)");
    return v[0] / 10000 + "." + v[0] / 100 % 100 + "." + v[0] % 100;
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
    int opA = operation(transposeA);
    int opB = operation(transposeB);
    int lda = a.shape().size(1);
    int ldb = b.shape().size(1);
    DevicePointer pa = CudaBuffer.pointer(a);
    DevicePointer pb = CudaBuffer.pointer(b);
    DevicePointer pc = CudaBuffer.pointer(c);
    Pointer s = scalar(type, alpha);
    Pointer t = scalar(type, beta);
    boolean single = type == DType.F32;
    return context.kernel(
        List.of(a, b, c),
        () ->
            Status.cublas(
                single
                    ? cublasSgemm(handle, opB, opA, n, m, k, s, pb, ldb, pa, lda, t, pc, n)
                    : cublasDgemm(handle, opB, opA, n, m, k, s, pb, ldb, pa, lda, t, pc, n),
                "cuBLAS gemm"));
  }

  @Override
  public Kernel compileSyrk(double alpha, Tensor a, double beta, Tensor c) {
    DType type = c.dtype();
    int k = a.shape().size(0);
    int n = a.shape().size(1);
    DevicePointer pa = CudaBuffer.pointer(a);
    DevicePointer pc = CudaBuffer.pointer(c);
    Pointer s = scalar(type, alpha);
    Pointer t = scalar(type, beta);
    boolean single = type == DType.F32;
    // cuBLAS' upper triangle is the one below the diagonal in rows
    int upper = cublasFillMode.CUBLAS_FILL_MODE_UPPER;
    int plain = operation(false);
    Kernel half =
        context.kernel(
            List.of(a, c),
            () ->
                Status.cublas(
                    single
                        ? cublasSsyrk(handle, upper, plain, n, k, s, pa, n, t, pc, n)
                        : cublasDsyrk(handle, upper, plain, n, k, s, pa, n, t, pc, n),
                    "cuBLAS syrk"));
    Kernel mirror =
        kernels
            .launch(single ? "mirror_f32" : "mirror_f64")
            .arg(c)
            .arg((long) n)
            .over(c.elements());
    return () -> {
      half.launch();
      mirror.launch();
    };
  }

  static int operation(boolean transpose) {
    return transpose ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
  }

  @Override
  public Kernel compileEigenSymmetric(Tensor a, Tensor eigenvalues) {
    return eigen.symmetric(a, eigenvalues);
  }

  private static Pointer scalar(DType type, double value) {
    return type == DType.F32 ? Constants.single((float) value) : Constants.of(value);
  }

  void close() {
    closers.close();
  }
}
