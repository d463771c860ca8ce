package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Arena;
import dev.secateur.device.BatchNormTraining;
import dev.secateur.device.Contract;
import dev.secateur.device.Folding;
import dev.secateur.device.Kernel;
import dev.secateur.device.LayerNormTraining;
import dev.secateur.device.Norms;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import jcuda.jcudnn.cudnnBatchNormMode;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * Batch norm: inference by our own kernel, in one pass with residual and activation; training in
 * the order N, C, H, W without ReLU by cuDNN, whose running variance is unbiased and whose factor
 * is PyTorch's momentum. In the order N, H, W, C see {@link CudnnFusedNorm}, with ReLU and where
 * cuDNN refuses {@link CudaBatchNorm}. Layer norm and softmax: kernels/vision.inc.
 */
final class CudnnNorms implements Norms {
  private static final int SPATIAL = cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL;

  /** Neighbouring positions that a block takes where positions are neighbours in memory. */
  private static final int POSITIONS = 32;

  private final Contract contract;
  private final CudaContext context;
  private final CudaKernels kernels;
  private final Cudnn cudnn;
  private final CudaReductions reductions;
  private final CudaBatchNorm own;
  private final CudnnFusedNorm fused;

  CudnnNorms(
      Contract contract,
      CudaContext context,
      Cudnn cudnn,
      CudaWorkspace workspace,
      CudaReductions reductions,
      CudaKernels kernels) {
    this.contract = contract;
    this.own = new CudaBatchNorm(kernels, workspace);
    this.fused = new CudnnFusedNorm(context, cudnn, workspace);
    this.context = context;
    this.kernels = kernels;
    this.cudnn = cudnn;
    this.reductions = reductions;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Kernel compileAffine(Affine a) {
    return kernels
        .launch("affine", a.x().dtype())
        .arg(a.x())
        .arg(a.scale())
        .arg(a.shift())
        .arg(a.residual())
        .arg(a.y())
        .arg(a.x().elements())
        .arg(a.x().shape().dim(1))
        .arg(Order.inner(a.x()))
        .arg(a.activation().ordinal())
        .over(a.x());
  }

  @Override
  public Kernel compileAffineWithFeatures(
      Affine a, PoolSpec.Kind kind, long channels, Tensor features, long column) {
    return reductions.features(a.x(), kind, channels, features, column, Optional.of(a));
  }

  @Override
  public Kernel compileFold(Folding f) {
    Tensor y = f.y();
    long rows = y.shape().dim(0);
    return kernels
        .launch("fold", y.dtype())
        .arg(f.weights())
        .arg(f.bias())
        .arg(f.norm().map(Folding.Norm::gamma))
        .arg(f.norm().map(Folding.Norm::beta))
        .arg(f.norm().map(Folding.Norm::mean))
        .arg(f.norm().map(Folding.Norm::variance))
        .arg(f.norm().map(Folding.Norm::eps).orElse(0f))
        .arg(y)
        .arg(f.shift())
        .arg(f.weights().shape().dim(0))
        .arg(Folding.second(f.weights()))
        .arg((long) f.positions())
        .arg(rows)
        .arg(Folding.second(y))
        .arg(Order.last(y))
        .over(y.elements() + rows);
  }

  @Override
  public TrainingKernels compileBatchNormTraining(BatchNormTraining n, Arena arena) {
    if (Order.last(n.x())) {
      return fused.training(n, arena, own.training(n, arena));
    }
    return n.relu() ? own.training(n, arena) : single(n, arena);
  }

  private TrainingKernels single(BatchNormTraining n, Arena arena) {
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
    Tensor mean = arena.floats(n.channels());
    Tensor deviation = arena.floats(n.channels());
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
                        pdy,
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
    return new TrainingKernels(forward, backward);
  }

  @Override
  public Kernel compileLayerNorm(Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y) {
    return layerNorm(x, gamma, beta, eps, y, Optional.empty());
  }

  private Kernel layerNorm(
      Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y, Optional<Tensor> statistics) {
    Launch.Builder b =
        kernels.launch("layer_norm", x.dtype()).arg(x).arg(gamma).arg(beta).arg(eps).arg(y);
    return overChannels(b.arg(statistics), x);
  }

  @Override
  public TrainingKernels compileLayerNormTraining(LayerNormTraining n, Arena arena) {
    Tensor x = n.x();
    long positions = x.elements() / x.shape().dim(1);
    Tensor statistics = arena.floats(positions, 2);
    Kernel forward = layerNorm(x, n.gamma(), n.beta(), n.eps(), n.y(), Optional.of(statistics));
    Launch.Builder b =
        kernels
            .launch("layer_norm_backward", x.dtype())
            .arg(x)
            .arg(n.gamma())
            .arg(statistics)
            .arg(n.dy())
            .arg(n.dx());
    Kernel input = overChannels(b, x);
    Launch.Builder p =
        kernels.launch("layer_norm_parameters", x.dtype()).arg(x).arg(statistics).arg(n.dy());
    Kernel parameters =
        extents(p.arg(n.dgamma()).arg(n.dbeta()), x)
            .arg(Order.last(x))
            .rows(x.shape().dim(1), positions);
    return new TrainingKernels(
        forward,
        () -> {
          input.launch();
          parameters.launch();
        });
  }

  @Override
  public Kernel compileSoftmax(Tensor x, Tensor y) {
    return overChannels(kernels.launch("channel_softmax", x.dtype()).arg(x).arg(y), x);
  }

  @Override
  public Kernel compileSoftmaxBackward(Tensor y, Tensor dy, Tensor dx) {
    return overChannels(
        kernels.launch("channel_softmax_backward", y.dtype()).arg(y).arg(dy).arg(dx), y);
  }

  /** One block for some positions at a time: many neighbouring ones, or one with its channels. */
  private static Kernel overChannels(Launch.Builder b, Tensor x) {
    long positions = x.elements() / x.shape().dim(1);
    boolean planes = Order.inner(x) > 1;
    extents(b, x).arg(Order.last(x)).arg(planes ? POSITIONS : 1);
    return planes
        ? b.rows((positions + POSITIONS - 1) / POSITIONS, 8 * POSITIONS * 4)
        : b.rows(positions, x.shape().dim(1));
  }

  private static Launch.Builder extents(Launch.Builder b, Tensor x) {
    return b.arg(x.shape().dim(0)).arg(x.shape().dim(1)).arg(Order.pixels(x));
  }
}
