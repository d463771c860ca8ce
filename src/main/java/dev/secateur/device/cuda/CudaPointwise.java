package dev.secateur.device.cuda;

import static jcuda.driver.JCudaDriver.*;

import dev.secateur.device.Activation;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/** Element by element; kernels/elementwise.cu. */
final class CudaPointwise {
  private final CudaContext context;
  private final CudaKernels kernels;

  CudaPointwise(CudaContext context, CudaKernels kernels) {
    this.context = context;
    this.kernels = kernels;
  }

  Kernel activation(Activation activation, Tensor x, Tensor y) {
    Require.congruent("x and y", x, y);
    return kernels
        .launch("activate", x.dtype())
        .arg(x)
        .arg(y)
        .arg(x.elements())
        .arg(activation.ordinal())
        .over(x);
  }

  Kernel activationBackward(Activation activation, Tensor y, Tensor dy, Tensor dx) {
    Require.congruent("y and dy", y, dy);
    Require.congruent("y and dx", y, dx);
    return kernels
        .launch("activate_backward", y.dtype())
        .arg(y)
        .arg(dy)
        .arg(dx)
        .arg(y.elements())
        .arg(activation.ordinal())
        .over(y);
  }

  /** Where y let dy through, into scratch memory. */
  Kernel maskToWorkspace(Tensor y, Tensor dy) {
    return kernels
        .launch("activate_backward")
        .arg(y)
        .arg(dy)
        .workspace(0)
        .arg(y.elements())
        .arg(Activation.RELU.ordinal())
        .over(y);
  }

  Kernel add(Tensor a, Tensor b, Activation activation, Tensor y) {
    Require.congruent("a and b", a, b);
    Require.congruent("a and y", a, y);
    return kernels
        .launch("add", a.dtype())
        .arg(a)
        .arg(b)
        .arg(y)
        .arg(a.elements())
        .arg(activation.ordinal())
        .over(a);
  }

  /** y = activation(y + bias + residual), the bias per axis 1. */
  Kernel epilogue(
      Tensor y, Optional<Tensor> bias, Optional<Tensor> residual, Activation activation) {
    return kernels
        .launch("epilogue", y.dtype())
        .arg(y)
        .arg(bias)
        .arg(residual)
        .arg(y.elements())
        .arg(y.shape().dim(1))
        .arg(Require.inner(y))
        .arg(activation.ordinal())
        .over(y);
  }

  Kernel batchNorm(
      Tensor x,
      Tensor gamma,
      Tensor beta,
      Tensor mean,
      Tensor variance,
      float eps,
      Activation activation,
      Tensor y) {
    return kernels
        .launch("batch_norm", x.dtype())
        .arg(x)
        .arg(gamma)
        .arg(beta)
        .arg(mean)
        .arg(variance)
        .arg(eps)
        .arg(y)
        .arg(x.elements())
        .arg(x.shape().dim(1))
        .arg(Require.inner(x))
        .arg(activation.ordinal())
        .over(x);
  }

  Kernel copy(Tensor src, Tensor dst) {
    Require.sameShape("src and dst", src, dst);
    Require.that(
        src.dtype() != DType.I32 && dst.dtype() != DType.I32 && dst.dtype() != DType.U8,
        "only F32, F64, F16, BF16 and U8 are copied to F32, F64, F16 and BF16",
        src,
        dst);
    boolean sameOrder = src.layout() == dst.layout();
    if (sameOrder && src.dtype() == dst.dtype()) {
      DevicePointer from = CudaBuffer.pointer(src);
      DevicePointer to = CudaBuffer.pointer(dst);
      long bytes = src.bytes();
      return context.kernel(
          List.of(src, dst),
          () ->
              Status.driver(
                  cuMemcpyDtoDAsync(to, from, bytes, context.stream()),
                  "copying on the GPU (cuMemcpyDtoDAsync)"));
    }
    return kernels
        .launch("copy")
        .arg(src)
        .arg(src.dtype().ordinal())
        .arg(Require.last(src))
        .arg(dst)
        .arg(dst.dtype().ordinal())
        .arg(Require.last(dst))
        .arg(src.elements())
        .arg(sameOrder ? 1 : src.shape().dim(1))
        .arg(sameOrder ? 1 : Require.pixels(src))
        .over(src.elements());
  }

  /** Scratch memory from {@code offset} on = t in F32, PLAIN. */
  Kernel toScratch(Tensor t, long offset) {
    return kernels
        .launch("copy")
        .arg(t)
        .arg(t.dtype().ordinal())
        .arg(Require.last(t))
        .workspace(offset)
        .arg(DType.F32.ordinal())
        .arg(false)
        .arg(t.elements())
        .arg(t.shape().dim(1))
        .arg(Require.pixels(t))
        .over(t.elements());
  }

  /** t = scratch memory in F32, PLAIN, from {@code offset} on. */
  Kernel fromScratch(long offset, Tensor t) {
    return kernels
        .launch("copy")
        .workspace(offset)
        .arg(DType.F32.ordinal())
        .arg(false)
        .arg(t)
        .arg(t.dtype().ordinal())
        .arg(Require.last(t))
        .arg(t.elements())
        .arg(t.shape().dim(1))
        .arg(Require.pixels(t))
        .over(t.elements());
  }

  Kernel fill(Tensor x, double value) {
    DevicePointer p = CudaBuffer.pointer(x);
    long n = x.elements();
    return switch (x.dtype()) {
      case F64 -> kernels.launch("fill_f64").arg(x).arg(value).arg(n).over(n);
      case F32 -> fill(x, p, Float.floatToRawIntBits((float) value));
      case I32 -> fill(x, p, (int) value);
      case F16, BF16 -> {
        short bits = Halves.narrow((float) value, x.dtype());
        yield context.kernel(
            List.of(x),
            () ->
                Status.driver(cuMemsetD16Async(p, bits, n, context.stream()), "cuMemsetD16Async"));
      }
      case U8 ->
          context.kernel(
              List.of(x),
              () ->
                  Status.driver(
                      cuMemsetD8Async(p, (byte) (int) value, n, context.stream()),
                      "clearing memory of the GPU (cuMemsetD8Async)"));
    };
  }

  private Kernel fill(Tensor x, DevicePointer p, int bits) {
    long n = x.elements();
    return context.kernel(
        List.of(x),
        () -> Status.driver(cuMemsetD32Async(p, bits, n, context.stream()), "cuMemsetD32Async"));
  }

  Kernel sgd(
      Tensor p,
      Tensor grad,
      Tensor velocity,
      Tensor lr,
      float momentum,
      boolean nesterov,
      float weightDecay,
      Optional<Tensor> unlessOverflow) {
    Require.type("p", p, DType.F32);
    Require.congruent("p and grad", p, grad);
    Require.congruent("p and velocity", p, velocity);
    Require.type("lr", lr, DType.F32);
    Require.that(lr.elements() == 1, "lr must have one element", lr);
    return kernels
        .launch("sgd")
        .arg(p)
        .arg(grad)
        .arg(velocity)
        .arg(lr)
        .arg(momentum)
        .arg(weightDecay)
        .arg(nesterov)
        .arg(unlessOverflow)
        .arg(p.elements())
        .over(p.elements());
  }
}
