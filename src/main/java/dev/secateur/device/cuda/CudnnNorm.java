package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Kernel;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.util.List;
import jcuda.jcudnn.cudnnBatchNormMode;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * Batch norm: inference by our own kernel, in one pass with the activation; training in the order
 * N, C, H, W by cuDNN, whose running variance is unbiased and whose factor is PyTorch's momentum,
 * ReLU by our own kernels. In the order N, H, W, C see {@link CudnnHalfNorm} and {@link
 * NormKernels}.
 */
final class CudnnNorm {
  private static final int SPATIAL = cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL;
  private final CudaContext context;
  private final Cudnn cudnn;
  private final CudaWorkspace workspace;
  private final CudaPointwise pointwise;
  private final NormKernels own;
  private final CudnnHalfNorm half;

  CudnnNorm(
      CudaContext context,
      Cudnn cudnn,
      CudaWorkspace workspace,
      CudaPointwise pointwise,
      CudaKernels kernels) {
    this.own = new NormKernels(kernels, workspace);
    this.half = new CudnnHalfNorm(context, cudnn, workspace);
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

  TrainingKernels training(NormTraining n) {
    Tensor x = n.x();
    check(x, n.y(), n.gamma(), n.beta(), n.runningMean(), n.runningVariance());
    check(x, n.dy(), n.dgamma(), n.dbeta());
    check(x, n.dx());
    Require.that(n.rows() > 1, "batch norm needs more than one value per channel", x);
    if (Require.last(x)) {
      TrainingKernels ours = own.training(n);
      return x.dtype() == DType.F16 ? half.training(n, ours) : ours;
    }
    Require.that(x.dtype() == DType.F32, "16-bit batch norm takes N, H, W, C", x);
    return single(n);
  }

  private TrainingKernels single(NormTraining n) {
    Tensor x = n.x();
    Tensor y = n.y();
    Tensor dy = n.dy();
    Tensor dx = n.dx();
    Tensor gamma = n.gamma();
    Tensor beta = n.beta();
    Tensor runningMean = n.runningMean();
    Tensor runningVariance = n.runningVariance();
    Tensor dgamma = n.dgamma();
    Tensor dbeta = n.dbeta();
    boolean relu = n.relu();
    Tensor mean = n.arena().floats(n.channels());
    Tensor deviation = n.arena().floats(n.channels());
    cudnnTensorDescriptor xd = cudnn.tensor(x);
    cudnnTensorDescriptor cd = cudnn.channels(n.channels(), DType.F32);
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
                        n.momentum(),
                        meanOut,
                        varianceOut,
                        n.eps(),
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
                        n.eps(),
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
    Require.layer("x", x);
    Require.layer("y", y);
    Require.sameShape("x and y", x, y);
    Require.alike("x and y", x, y);
    for (Tensor v : vectors) {
      Require.vector("a parameter of batch norm", v, DType.F32, x.shape().dim(1));
    }
  }
}
