package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Arena;
import dev.secateur.device.BatchNormTraining;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnActivationMode;
import jcuda.jcudnn.cudnnBatchNormMode;
import jcuda.jcudnn.cudnnBatchNormOps;
import jcuda.jcudnn.cudnnNanPropagation;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * Batch norm in training by cuDNN's semi-persistent kernels, with ReLU fused
 * (cudnnBatchNormalizationForwardTrainingEx). They take half precision in the order N, H, W, C,
 * newer releases (9.5.1 has the kernels) bfloat16 and single precision too, and since cuDNN 8.2 any
 * number of channels unless an addition is fused too. Where cuDNN says that it cannot, when asked
 * for sizes or at a launch, other kernels run.
 */
final class CudnnFusedNorm {
  private static final int MODE = cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL_PERSISTENT;
  private final CudaContext context;
  private final Cudnn cudnn;
  private final CudaWorkspace workspace;

  CudnnFusedNorm(CudaContext context, Cudnn cudnn, CudaWorkspace workspace) {
    this.context = context;
    this.cudnn = cudnn;
    this.workspace = workspace;
  }

  private record Sizes(long forward, long backward, long reserve) {}

  /**
   * @param instead of cuDNN's, for the same operands
   */
  TrainingKernels training(BatchNormTraining n, Arena arena, TrainingKernels instead) {
    context.enter();
    int ops =
        n.relu()
            ? cudnnBatchNormOps.CUDNN_BATCHNORM_OPS_BN_ACTIVATION
            : cudnnBatchNormOps.CUDNN_BATCHNORM_OPS_BN;
    cudnnTensorDescriptor xd = cudnn.tensor(n.x());
    cudnnTensorDescriptor cd = cudnn.channels(n.channels(), DType.F32);
    cudnnActivationDescriptor relu =
        cudnn.activation(
            cudnnActivationMode.CUDNN_ACTIVATION_RELU, cudnnNanPropagation.CUDNN_PROPAGATE_NAN);
    return sizes(ops, xd, cd, relu)
        .map(s -> compile(n, arena, ops, xd, cd, relu, s, instead))
        .orElse(instead);
  }

  private Optional<Sizes> sizes(
      int ops, cudnnTensorDescriptor xd, cudnnTensorDescriptor cd, cudnnActivationDescriptor relu) {
    long[] forward = new long[1];
    long[] backward = new long[1];
    long[] reserve = new long[1];
    int status =
        cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(
            cudnn.handle(), MODE, ops, xd, xd, xd, cd, relu, forward);
    if (status == 0) {
      status =
          cudnnGetBatchNormalizationBackwardExWorkspaceSize(
              cudnn.handle(), MODE, ops, xd, xd, xd, xd, xd, cd, relu, backward);
    }
    if (status == 0) {
      status =
          cudnnGetBatchNormalizationTrainingExReserveSpaceSize(
              cudnn.handle(), MODE, ops, relu, xd, reserve);
    }
    if (Status.cudnnCannot(status)) {
      return Optional.empty();
    }
    Status.cudnn(status, "sizing batch norm");
    return Optional.of(new Sizes(forward[0], backward[0], reserve[0]));
  }

  private TrainingKernels compile(
      BatchNormTraining n,
      Arena arena,
      int ops,
      cudnnTensorDescriptor xd,
      cudnnTensorDescriptor cd,
      cudnnActivationDescriptor relu,
      Sizes sizes,
      TrainingKernels instead) {
    Refusal refusal = new Refusal(); // of the forward pass, whose statistics backward needs
    workspace.reserve(Math.max(sizes.forward(), sizes.backward()));
    Tensor mean = arena.floats(n.channels());
    Tensor inverse = arena.floats(n.channels());
    Tensor reserve = arena.allocate(Shape.of(Math.max(1, sizes.reserve())), DType.U8, Layout.PLAIN);
    DevicePointer px = CudaBuffer.pointer(n.x());
    DevicePointer py = CudaBuffer.pointer(n.y());
    DevicePointer scale = CudaBuffer.pointer(n.gamma());
    DevicePointer shift = CudaBuffer.pointer(n.beta());
    DevicePointer meanOut = CudaBuffer.pointer(n.runningMean());
    DevicePointer varianceOut = CudaBuffer.pointer(n.runningVariance());
    DevicePointer savedMean = CudaBuffer.pointer(mean);
    DevicePointer savedInverse = CudaBuffer.pointer(inverse);
    DevicePointer kept = CudaBuffer.pointer(reserve);
    Pointer none = new Pointer();
    Kernel forward =
        context.kernel(
            List.of(
                n.x(),
                n.y(),
                n.gamma(),
                n.beta(),
                n.runningMean(),
                n.runningVariance(),
                mean,
                inverse,
                reserve),
            () -> {
              if (!refusal.refused()) {
                int status =
                    cudnnBatchNormalizationForwardTrainingEx(
                        cudnn.handle(),
                        MODE,
                        ops,
                        Constants.ONE,
                        Constants.ZERO,
                        xd,
                        px,
                        xd,
                        none,
                        xd,
                        py,
                        cd,
                        scale,
                        shift,
                        n.momentum(),
                        meanOut,
                        varianceOut,
                        n.eps(),
                        savedMean,
                        savedInverse,
                        relu,
                        workspace.pointer(),
                        sizes.forward(),
                        kept,
                        sizes.reserve());
                if (!refusal.is(status)) {
                  Status.cudnn(status, "batch norm (cudnnBatchNormalizationForwardTrainingEx)");
                  return;
                }
              }
              instead.forward().launch();
            });
    DevicePointer pdy = CudaBuffer.pointer(n.dy());
    DevicePointer pdx = CudaBuffer.pointer(n.dx());
    DevicePointer scaleGradient = CudaBuffer.pointer(n.dgamma());
    DevicePointer shiftGradient = CudaBuffer.pointer(n.dbeta());
    Kernel backward =
        context.kernel(
            List.of(
                n.x(),
                n.y(),
                n.dy(),
                n.dx(),
                n.gamma(),
                n.beta(),
                n.dgamma(),
                n.dbeta(),
                mean,
                inverse,
                reserve),
            () -> {
              if (refusal.refused()) {
                instead.backward().launch();
                return;
              }
              Status.cudnn(
                  cudnnBatchNormalizationBackwardEx(
                      cudnn.handle(),
                      MODE,
                      ops,
                      Constants.ONE,
                      Constants.ZERO,
                      Constants.ONE,
                      Constants.ZERO,
                      xd,
                      px,
                      xd,
                      py,
                      xd,
                      pdy,
                      xd,
                      none,
                      xd,
                      pdx,
                      cd,
                      scale,
                      shift,
                      scaleGradient,
                      shiftGradient,
                      n.eps(),
                      savedMean,
                      savedInverse,
                      relu,
                      workspace.pointer(),
                      sizes.backward(),
                      kept,
                      sizes.reserve()),
                  "batch norm's gradient (cudnnBatchNormalizationBackwardEx)");
            });
    return new TrainingKernels(forward, backward);
  }
}
