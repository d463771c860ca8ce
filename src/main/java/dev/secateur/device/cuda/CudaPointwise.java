package dev.secateur.device.cuda;

import dev.secateur.device.Activation;
import dev.secateur.device.Contract;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.device.Kernel;
import dev.secateur.device.Pointwise;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/** Element by element; kernels/layers.inc and vision.inc. */
final class CudaPointwise implements Pointwise {
  private final Contract contract;
  private final CudaKernels kernels;

  CudaPointwise(Contract contract, CudaKernels kernels) {
    this.contract = contract;
    this.kernels = kernels;
  }

  @Override
  public Contract contract() {
    return contract;
  }

  @Override
  public Kernel compileActivation(Activation activation, Tensor x, Tensor y) {
    return kernels
        .launch("activate", x.dtype())
        .arg(x)
        .arg(y)
        .arg(x.elements())
        .arg(activation.ordinal())
        .over(x);
  }

  @Override
  public Kernel compileActivationBackward(Activation activation, Tensor y, Tensor dy, Tensor dx) {
    return kernels
        .launch("activate_backward", y.dtype())
        .arg(y)
        .arg(dy)
        .arg(dx)
        .arg(y.elements())
        .arg(activation.ordinal())
        .over(y);
  }

  @Override
  public Kernel compileAdd(Tensor a, Tensor b, Activation activation, Tensor y) {
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
        .arg(Order.inner(y))
        .arg(activation.ordinal())
        .over(y);
  }

  @Override
  public Kernel compileElementwise(ElementwiseSpec spec, Tensor x, Tensor y) {
    return function(kernels.launch("elementwise", x.dtype()).arg(x).arg(y), spec, x);
  }

  @Override
  public Kernel compileElementwiseBackward(ElementwiseSpec spec, Tensor x, Tensor dy, Tensor dx) {
    return function(
        kernels.launch("elementwise_backward", x.dtype()).arg(x).arg(dy).arg(dx), spec, x);
  }

  private static Kernel function(Launch.Builder b, ElementwiseSpec spec, Tensor x) {
    return b.arg(x.elements())
        .arg(spec.kind().ordinal())
        .arg(spec.alpha())
        .arg(spec.beta())
        .over(x);
  }

  @Override
  public Kernel compileMultiply(Tensor a, Tensor b, Tensor y) {
    boolean each = a.shape().equals(b.shape());
    return kernels
        .launch("product", a.dtype())
        .arg(a)
        .arg(b)
        .arg(y)
        .arg(a.elements())
        .arg(each ? 1 : a.shape().dim(1))
        .arg(each ? 0 : Order.pixels(a))
        .arg(Order.last(a))
        .over(a);
  }

  @Override
  public Kernel compileAddBias(Tensor bias, Activation activation, Tensor y) {
    return epilogue(y, Optional.of(bias), Optional.empty(), activation);
  }
}
