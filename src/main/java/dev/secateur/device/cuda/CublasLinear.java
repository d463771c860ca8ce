package dev.secateur.device.cuda;

import static jcuda.jcublas.JCublas2.cublasGemmEx_new;

import dev.secateur.device.Activation;
import dev.secateur.device.Contract;
import dev.secateur.device.Epilogue;
import dev.secateur.device.Kernel;
import dev.secateur.device.Linear;
import dev.secateur.device.Precision;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.util.List;
import jcuda.cudaDataType;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;

/** Linear layers by cuBLAS, in the precision of layers. */
final class CublasLinear implements Linear {
  private final Contract contract;
  private final CudaContext context;
  private final CublasMatrices matrices;
  private final CudaPointwise pointwise;
  private final Precision precision;

  CublasLinear(
      Contract contract,
      CudaContext context,
      CublasMatrices matrices,
      CudaPointwise pointwise,
      Precision precision) {
    this.contract = contract;
    this.context = context;
    this.matrices = matrices;
    this.pointwise = pointwise;
    this.precision = precision;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Kernel compileForward(Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
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

  @Override
  public Kernel compileBackwardData(Tensor dy, Tensor w, Tensor dx) {
    return product(false, false, dy, w, dx);
  }

  @Override
  public Kernel compileBackwardWeights(Tensor x, Tensor dy, Tensor dw) {
    return product(true, false, dy, x, dw);
  }

  /** c = op(a) op(b) in the precision of layers; c may be F32 where a and b are not. */
  private Kernel product(boolean transposeA, boolean transposeB, Tensor a, Tensor b, Tensor c) {
    boolean single = a.dtype() == DType.F32;
    if (single && precision != Precision.TF32) {
      return matrices.compileGemm(transposeA, transposeB, 1, a, b, 0, c);
    }
    int m = c.shape().size(0);
    int n = c.shape().size(1);
    int k = a.shape().size(transposeA ? 0 : 1);
    int opA = CublasMatrices.operation(transposeA);
    int opB = CublasMatrices.operation(transposeB);
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
                    matrices.handle(),
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
}
