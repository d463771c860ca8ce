package dev.secateur.device.cuda;

import static jcuda.jcublas.JCublas2.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Cleanup;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.util.List;
import jcuda.Pointer;
import jcuda.jcublas.cublasFillMode;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.cudaStream_t;

/**
 * Products of matrices by cuBLAS, which takes columns first: a row-major matrix is its transpose
 * there, so C = A B is asked for as Cᵀ = Bᵀ Aᵀ.
 */
final class CudaMatrix {
  private final CudaContext context;
  private final CudaKernels kernels;
  private final CudaPointwise pointwise;
  private final cublasHandle handle = new cublasHandle();

  CudaMatrix(CudaContext context, CudaKernels kernels, CudaPointwise pointwise) {
    this.context = context;
    this.kernels = kernels;
    this.pointwise = pointwise;
    context.enter();
    Status.cublas(cublasCreate(handle), "opening cuBLAS (cublasCreate)");
    try {
      Status.cublas(
          cublasSetStream(handle, new cudaStream_t(context.stream())),
          "opening cuBLAS (cublasSetStream)");
    } catch (RuntimeException e) {
      throw Cleanup.after(e, this::close);
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
    int m = c.shape().size(0);
    int n = c.shape().size(1);
    int k = a.shape().size(transposeA ? 0 : 1);
    boolean fits =
        a.shape().dim(transposeA ? 1 : 0) == m
            && b.shape().dim(transposeB ? 1 : 0) == k
            && b.shape().dim(transposeB ? 0 : 1) == n;
    Require.that(fits, "shapes must fit op(a) op(b) = c", a, b, c);
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
    Require.plain("y", y, DType.F32, 2);
    epilogue.bias().ifPresent(b -> Require.vector("bias", b, DType.F32, y.shape().dim(1)));
    Kernel product = gemm(false, true, 1, x, w, 0, y);
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
    Status.cublas(cublasDestroy(handle), "closing cuBLAS (cublasDestroy)");
  }
}
