package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Arena;
import dev.secateur.device.Contract;
import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.Pools;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Tensor;
import java.util.List;
import jcuda.jcudnn.cudnnPoolingDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * Pooling by cuDNN in single precision and the order N, C, H, W; by our own kernels in 16 bits, in
 * the order N, H, W, C, where the padding is lopsided and where the window is dilated.
 */
final class CudnnPools implements Pools {
  private final Contract contract;
  private final CudaContext context;
  private final Cudnn cudnn;
  private final CudaKernels kernels;

  CudnnPools(Contract contract, CudaContext context, Cudnn cudnn, CudaKernels kernels) {
    this.contract = contract;
    this.context = context;
    this.cudnn = cudnn;
    this.kernels = kernels;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Kernel compileForward(PoolSpec spec, Tensor x, Tensor y) {
    if (!cudnnTakes(spec, x)) {
      Launch.Builder b = kernels.launch("pool", x.dtype()).arg(x).arg(y);
      return own(spec, x, y, b).over(y.elements());
    }
    cudnnPoolingDescriptor d = cudnn.pool(spec);
    cudnnTensorDescriptor xd = cudnn.tensor(x);
    cudnnTensorDescriptor yd = cudnn.tensor(y);
    DevicePointer px = CudaBuffer.pointer(x);
    DevicePointer py = CudaBuffer.pointer(y);
    return context.kernel(
        List.of(x, y),
        () ->
            Status.cudnn(
                cudnnPoolingForward(
                    cudnn.handle(), d, Constants.ONE, xd, px, Constants.ZERO, yd, py),
                "pooling (cudnnPoolingForward)"));
  }

  @Override
  public TrainingKernels compileTraining(
      PoolSpec spec, Tensor x, Tensor y, Tensor dy, Tensor dx, Arena arena) {
    Kernel forward = compileForward(spec, x, y);
    if (!cudnnTakes(spec, x)) {
      Launch.Builder b = kernels.launch("pool_backward", x.dtype()).arg(x).arg(dy).arg(dx);
      return new TrainingKernels(forward, own(spec, x, y, b).over(dx.elements()));
    }
    cudnnPoolingDescriptor d = cudnn.pool(spec);
    cudnnTensorDescriptor xd = cudnn.tensor(x);
    cudnnTensorDescriptor yd = cudnn.tensor(y);
    DevicePointer px = CudaBuffer.pointer(x);
    DevicePointer py = CudaBuffer.pointer(y);
    DevicePointer pdx = CudaBuffer.pointer(dx);
    DevicePointer pdy = CudaBuffer.pointer(dy);
    Kernel backward =
        context.kernel(
            List.of(x, y, dy, dx),
            () ->
                Status.cudnn(
                    cudnnPoolingBackward(
                        cudnn.handle(),
                        d,
                        Constants.ONE,
                        yd,
                        py,
                        yd,
                        pdy,
                        xd,
                        px,
                        Constants.ZERO,
                        xd,
                        pdx),
                    "pooling's gradient (cudnnPoolingBackward)"));
    return new TrainingKernels(forward, backward);
  }

  private static boolean cudnnTakes(PoolSpec s, Tensor x) {
    return x.dtype() == DType.F32
        && x.layout() == Layout.PLAIN
        && !s.dilated()
        && s.padTop() == s.padBottom()
        && s.padLeft() == s.padRight()
        && s.padTop() < s.kernelH()
        && s.padLeft() < s.kernelW();
  }

  private static Launch.Builder own(PoolSpec s, Tensor x, Tensor y, Launch.Builder b) {
    return b.arg(x.shape().dim(0))
        .arg(x.shape().dim(1))
        .arg(x.shape().size(2))
        .arg(x.shape().size(3))
        .arg(y.shape().size(2))
        .arg(y.shape().size(3))
        .arg(s.kernelH())
        .arg(s.kernelW())
        .arg(s.strideH())
        .arg(s.strideW())
        .arg(s.padTop())
        .arg(s.padLeft())
        .arg(s.dilationH())
        .arg(s.dilationW())
        .arg(s.kind().ordinal())
        .arg(Order.last(x));
  }
}
