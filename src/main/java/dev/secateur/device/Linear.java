package dev.secateur.device;

import static dev.secateur.device.Contract.that;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;

/** Linear layers: x (N,C), w (K,C), y (N,K), all PLAIN. */
public interface Linear extends Operations {

  /**
   * y = epilogue(x wᵀ); a residual is not supported. y and the bias may be F32 whatever the type of
   * activations, as the loss needs it.
   */
  default Kernel forward(Tensor x, Tensor w, Epilogue epilogue, Tensor y) {
    DType type = y.dtype() == DType.F32 ? DType.F32 : contract().type();
    check(x, w, y, contract().type(), type);
    that(epilogue.residual().isEmpty(), "a linear layer takes no residual");
    that(epilogue.function().isEmpty(), "a linear layer takes no function behind its activation");
    epilogue.bias().ifPresent(b -> Contract.vector("bias", b, type, y.shape().dim(1)));
    return compileForward(x, w, epilogue, y);
  }

  Kernel compileForward(Tensor x, Tensor w, Epilogue epilogue, Tensor y);

  /** dx = dy w. */
  default Kernel backwardData(Tensor dy, Tensor w, Tensor dx) {
    check(dx, w, dy, contract().type(), contract().type());
    return compileBackwardData(dy, w, dx);
  }

  Kernel compileBackwardData(Tensor dy, Tensor w, Tensor dx);

  /**
   * dw = dyᵀ x.
   *
   * @param dw F32
   */
  default Kernel backwardWeights(Tensor x, Tensor dy, Tensor dw) {
    check(x, dw, dy, DType.F32, contract().type());
    return compileBackwardWeights(x, dy, dw);
  }

  Kernel compileBackwardWeights(Tensor x, Tensor dy, Tensor dw);

  private void check(Tensor x, Tensor w, Tensor y, DType weights, DType result) {
    Contract.plain("x", x, contract().type(), 2);
    Contract.plain("w", w, weights, 2);
    Contract.plain("y", y, result, 2);
    that(x.shape().dim(1) == w.shape().dim(1), "x and w must have as many columns", x, w);
    Contract.shape("y", y, Shape.of(x.shape().dim(0), w.shape().dim(0)));
  }
}
