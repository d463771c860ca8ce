package dev.secateur.device.cuda;

import static jcuda.jcublas.JCublas2.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Cleanup;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Precision;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.util.List;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasFillMode;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.cudaStream_t;

/**
 * Products of matrices by cuBLAS, which takes columns first: a row-major matrix is its transpose
 * there, so C = A B is asked for as Cᵀ = Bᵀ Aᵀ. cuBLAS has its scratch memory from us: it would
 * otherwise allocate some at a call, within a graph one for each.
 */
final class CudaMatrix {
  private final CudaContext context;
  private final CudaKernels kernels;
  private final CudaPointwise pointwise;
  private final Precision precision;
  private final cublasHandle handle = new cublasHandle();
  private final Cleanup closers = new Cleanup();
  private final DevicePointer workspace;

  /**
   * @param precision of linear layers; other products are in full precision
   */
  CudaMatrix(
      CudaContext context, CudaKernels kernels, CudaPointwise pointwise, Precision precision) {
    this.precision = precision;
    this.context = context;
    this.kernels = kernels;
    this.pointwise = pointwise;
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
    } catch (RuntimeException e) {
      throw Cleanup.after(e, closers);
    }
  }

  String version() {
    int[] v = new int[1];
    Status.cublas(cublasGetVersion(handle, v), "asking cuBLAS' version (cublasGetVersion)");
    return v[0] / 10000 + "." + v[0] / 100 % 100 + "." + v[0] % 100;
  }

  Kernel gemm(
      boolean transposeA,
      boolean transposeB,
      double alpha,
      Tensor a,
      Tensor b,
      double beta,
      Tensor c) {
    DType type = floating(c);
    Require.plain("a", a, type, 2);
    Require.plain("b", b, type, 2);
    Require.plain("c", c, type, 2);
    fit(transposeA, transposeB, a, b, c);
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

  private static void fit(boolean transposeA, boolean transposeB, Tensor a, Tensor b, Tensor c) {
    boolean fits =
        a.shape().dim(transposeA ? 1 : 0) == c.shape().dim(0)
            && b.shape().dim(transposeB ? 1 : 0) == a.shape().dim(transposeA ? 0 : 1)
            && b.shape().dim(transposeB ? 0 : 1) == c.shape().dim(1);
    Require.that(fits, "shapes must fit op(a) op(b) = c", a, b, c);
  }

  /** c = op(a) op(b) in the precision of layers; c may be F32 where a and b are not. */
  Kernel product(boolean transposeA, boolean transposeB, Tensor a, Tensor b, Tensor c) {
    boolean single = a.dtype() == DType.F32;
    if (single && precision != Precision.TF32) {
      return gemm(transposeA, transposeB, 1, a, b, 0, c);
    }
    Require.real("a", a);
    Require.plain("a", a, a.dtype(), 2);
    Require.plain("b", b, a.dtype(), 2);
    Require.plain("c", c, c.dtype() == DType.F32 ? DType.F32 : a.dtype(), 2);
    fit(transposeA, transposeB, a, b, c);
    int m = c.shape().size(0);
    int n = c.shape().size(1);
    int k = a.shape().size(transposeA ? 0 : 1);
    int opA = operation(transposeA);
    int opB = operation(transposeB);
    int lda = a.shape().size(1);
    int ldb = b.shape().size(1);
    int in = cudaType(a);
    int out = cudaType(c);
    int compute =
        single
            ? cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32
            : cublasComputeType.CUBLAS_COMPUTE_32F;
    DevicePointer pa = CudaBuffer.pointer(a);
    DevicePointer pb = CudaBuffer.pointer(b);
    DevicePointer pc = CudaBuffer.pointer(c);
    return context.kernel(
        List.of(a, b, c),
        () ->
            Status.cublas(
                cublasGemmEx_new(
                    handle,
                    opB,
                    opA,
                    n,
                    m,
                    k,
                    Constants.ONE,
                    pb,
                    in,
                    ldb,
                    pa,
                    in,
                    lda,
                    Constants.ZERO,
                    pc,
                    out,
                    n,
                    compute,
                    cublasGemmAlgo.CUBLAS_GEMM_DEFAULT),
                "a matrix product (cublasGemmEx)"));
  }

  // cublasGemmEx itself is missing from JCuda's native library: its name there is one of C++

  private static int cudaType(Tensor t) {
    return switch (t.dtype()) {
      case F16 -> cudaDataType.CUDA_R_16F;
      case BF16 -> cudaDataType.CUDA_R_16BF;
      default -> cudaDataType.CUDA_R_32F;
    };
  }

  Kernel syrk(double alpha, Tensor a, double beta, Tensor c) {
    DType type = floating(c);
    Require.plain("a", a, type, 2);
    Require.plain("c", c, type, 2);
    int k = a.shape().size(0);
    int n = a.shape().size(1);
    boolean fits = c.shape().dim(0) == n && c.shape().dim(1) == n;
    Require.that(fits, "c must be " + n + "x" + n, c);
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

  /** y = epilogue(x wᵀ). */
  Kernel linear(Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    Require.that(epilogue.residual().isEmpty(), "a linear layer takes no residual");
    Require.plain("y", y, y.dtype(), 2);
    epilogue.bias().ifPresent(b -> Require.vector("bias", b, y.dtype(), y.shape().dim(1)));
    Kernel product = product(false, true, x, w, y);
    if (epilogue.bias().isEmpty() && epilogue.activation() == Activation.NONE) {
      return product;
    }
    Kernel rest =
        pointwise.epilogue(y, epilogue.bias(), epilogue.residual(), epilogue.activation());
    return () -> {
      product.launch();
      rest.launch();
    };
  }

  private static DType floating(Tensor c) {
    boolean known = c.dtype() == DType.F32 || c.dtype() == DType.F64;
    Require.that(known, "matrices must be F32 or F64", c);
    return c.dtype();
  }

  private static int operation(boolean transpose) {
    return transpose ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
  }

  private static Pointer scalar(DType type, double value) {
    return type == DType.F32 ? Constants.single((float) value) : Constants.of(value);
  }

  void close() {
    closers.close();
  }
}
