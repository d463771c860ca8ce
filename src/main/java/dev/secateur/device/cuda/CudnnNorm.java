package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Arena;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.util.List;
import jcuda.jcudnn.cudnnBatchNormMode;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * Batch norm: inference by our own kernel, in one pass with the activation; training by cuDNN,
 * whose running variance is unbiased and whose factor is PyTorch's momentum, ReLU by our own
 * kernels.
 */
final class CudnnNorm {
  private static final int SPATIAL = cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL;
  private final CudaContext context;
  private final Cudnn cudnn;
  private final CudaWorkspace workspace;
  private final CudaPointwise pointwise;

  CudnnNorm(CudaContext context, Cudnn cudnn, CudaWorkspace workspace, CudaPointwise pointwise) {
    this.context = context;
    this.cudnn = cudnn;
    this.workspace = workspace;
    this.pointwise = pointwise;
  }

  Kernel inference(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      Tensor mean,
      Tensor variance,
      float eps,
      Activation activation,
      Tensor y) {
    check(x, y, gamma, beta, mean, variance);
    return pointwise.batchNorm(x, gamma, beta, mean, variance, eps, activation, y);
  }

  TrainingKernels training(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      Tensor runningMean,
      Tensor runningVariance,
      float momentum,
      float eps,
      boolean relu,
      Tensor y,
      Tensor dy,
      Tensor dx,
      Tensor dgamma,
      Tensor dbeta,
      Arena arena) {
    check(x, y, gamma, beta, runningMean, runningVariance, dgamma, dbeta);
    check(x, dy);
    check(x, dx);
    long c = x.shape().dim(1);
    Require.that(x.elements() / c > 1, "batch norm needs more than one value per channel", x);
    Tensor mean = arena.floats(c);
    Tensor deviation = arena.floats(c);
    cudnnTensorDescriptor xd = cudnn.tensor(x.shape());
    cudnnTensorDescriptor cd = cudnn.channels(c);
    DevicePointer px = CudaBuffer.pointer(x);
    DevicePointer py = CudaBuffer.pointer(y);
    DevicePointer scale = CudaBuffer.pointer(gamma);
    DevicePointer shift = CudaBuffer.pointer(beta);
    DevicePointer meanOut = CudaBuffer.pointer(runningMean);
    DevicePointer varianceOut = CudaBuffer.pointer(runningVariance);
    DevicePointer savedMean = CudaBuffer.pointer(mean);
    DevicePointer savedDeviation = CudaBuffer.pointer(deviation);
    Kernel forward =
        context.kernel(
            List.of(x, y, gamma, beta, runningMean, runningVariance, mean, deviation),
            () ->
                Status.cudnn(
                    cudnnBatchNormalizationForwardTraining(
                        cudnn.handle(),
                        SPATIAL,
                        Constants.ONE,
                        Constants.ZERO,
                        xd,
                        px,
                        xd,
                        py,
                        cd,
                        scale,
                        shift,
                        momentum,
                        meanOut,
                        varianceOut,
                        eps,
                        savedMean,
                        savedDeviation),
                    "batch norm (cudnnBatchNormalizationForwardTraining)"));
    DevicePointer pdx = CudaBuffer.pointer(dx);
    DevicePointer pdy = CudaBuffer.pointer(dy);
    DevicePointer scaleGradient = CudaBuffer.pointer(dgamma);
    DevicePointer shiftGradient = CudaBuffer.pointer(dbeta);
    Kernel backward =
        context.kernel(
            List.of(x, dy, dx, gamma, dgamma, dbeta, mean, deviation),
            () ->
                Status.cudnn(
                    cudnnBatchNormalizationBackward(
                        cudnn.handle(),
                        SPATIAL,
                        Constants.ONE,
                        Constants.ZERO,
                        Constants.ONE,
                        Constants.ZERO,
                        xd,
                        px,
                        xd,
                        relu ? workspace.pointer() : pdy,
                        xd,
                        pdx,
                        cd,
                        scale,
                        scaleGradient,
                        shiftGradient,
                        eps,
                        savedMean,
                        savedDeviation),
                    "batch norm's gradient (cudnnBatchNormalizationBackward)"));
    if (!relu) {
      return new TrainingKernels(forward, backward);
    }
    workspace.reserve(dy.bytes()); // dy has other readers, so it is masked aside
    Kernel clip = pointwise.activation(Activation.RELU, y, y);
    Kernel mask = pointwise.maskToWorkspace(y, dy);
    return new TrainingKernels(
        () -> {
          forward.launch();
          clip.launch();
        },
        () -> {
          mask.launch();
          backward.launch();
        });
  }

  private static void check(Tensor x, Tensor y, Tensor... vectors) {
    Require.activation("x", x);
    Require.activation("y", y);
    Require.sameShape("x and y", x, y);
    for (Tensor v : vectors) {
      Require.vector("a parameter of batch norm", v, DType.F32, x.shape().dim(1));
    }
  }
}
