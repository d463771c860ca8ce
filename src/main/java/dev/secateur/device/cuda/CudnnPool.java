package dev.secateur.device.cuda;

import static jcuda.jcudnn.JCudnn.*;

import dev.secateur.device.Kernel;
import dev.secateur.device.PoolSpec;
import dev.secateur.device.TrainingKernels;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.List;
import jcuda.jcudnn.cudnnPoolingDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;

/**
 * Pooling by cuDNN in single precision and the order N, C, H, W; by our own kernels in 16 bits, in
 * the order N, H, W, C, and where the padding is lopsided.
 */
final class CudnnPool {
  private final CudaContext context;
  private final Cudnn cudnn;
  private final CudaKernels kernels;

  CudnnPool(CudaContext context, Cudnn cudnn, CudaKernels kernels) {
    this.context = context;
    this.cudnn = cudnn;
    this.kernels = kernels;
  }

  Kernel forward(PoolSpec spec, Tensor x, Tensor y) {
    check(spec, x, y);
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

  TrainingKernels training(PoolSpec spec, Tensor x, Tensor y, Tensor dy, Tensor dx) {
    check(spec, dx, dy);
    Require.sameShape("x and dx", x, dx);
    Kernel forward = forward(spec, x, y);
    Require.alike("x and dx", x, dx);
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
        .arg(s.kind().ordinal())
        .arg(Require.last(x));
  }

  private static void check(PoolSpec spec, Tensor x, Tensor y) {
    Require.layer("x", x);
    Require.layer("y", y);
    Require.alike("x and y", x, y);
    long p = spec.outHeight(x.shape().dim(2));
    long q = spec.outWidth(x.shape().dim(3));
    Require.that(p > 0 && q > 0, "the window must not be larger than the input", x);
    Shape expected = x.shape().with(2, p).with(3, q);
    Require.that(y.shape().equals(expected), "y must be " + expected, y);
  }
}
