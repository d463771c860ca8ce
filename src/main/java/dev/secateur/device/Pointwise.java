package dev.secateur.device;

import dev.secateur.tensor.Tensor;

/** Functions, sums and products, element by element of activations. */
public interface Pointwise extends Operations {

  /** y = activation(x); y may be x. Any shape. */
  default Kernel activation(Activation activation, Tensor x, Tensor y) {
    contract().alike("x and y", x, y);
    return compileActivation(activation, x, y);
  }

  Kernel compileActivation(Activation activation, Tensor x, Tensor y);

  /** dx = dy where the activation let y through, else 0; dx may be dy. Any shape. */
  default Kernel activationBackward(Activation activation, Tensor y, Tensor dy, Tensor dx) {
    contract().alike("y and dy", y, dy);
    contract().alike("y and dx", y, dx);
    return compileActivationBackward(activation, y, dy, dx);
  }

  Kernel compileActivationBackward(Activation activation, Tensor y, Tensor dy, Tensor dx);

  /** y = f(x), of any shape; y may be x. */
  default Kernel elementwise(ElementwiseSpec spec, Tensor x, Tensor y) {
    contract().alike("x and y", x, y);
    return compileElementwise(spec, x, y);
  }

  Kernel compileElementwise(ElementwiseSpec spec, Tensor x, Tensor y);

  /** dx = dy f'(x), of any shape; dx may be dy. At a kink the slope is that of one of its sides. */
  default Kernel elementwiseBackward(ElementwiseSpec spec, Tensor x, Tensor dy, Tensor dx) {
    contract().alike("x and dy", x, dy);
    contract().alike("x and dx", x, dx);
    return compileElementwiseBackward(spec, x, dy, dx);
  }

  Kernel compileElementwiseBackward(ElementwiseSpec spec, Tensor x, Tensor dy, Tensor dx);

  /** y = activation(a + b), shapes and layouts equal; y may be a or b. */
  default Kernel add(Tensor a, Tensor b, Activation activation, Tensor y) {
    contract().alike("a and b", a, b);
    contract().alike("a and y", a, y);
    return compileAdd(a, b, activation, y);
  }

  Kernel compileAdd(Tensor a, Tensor b, Activation activation, Tensor y);

  /**
   * y = a b: of equal shapes (any), or a and y (N,C,H,W) and b a factor a channel (N,C,1,1). y may
   * be a.
   */
  default Kernel multiply(Tensor a, Tensor b, Tensor y) {
    contract().alike("a and y", a, y);
    if (a.shape().equals(b.shape())) {
      contract().alike("a and b", a, b);
    } else {
      contract().image("a", a);
      contract().perChannel("b", b, a);
    }
    return compileMultiply(a, b, y);
  }

  Kernel compileMultiply(Tensor a, Tensor b, Tensor y);

  /** y = activation(y + bias), the bias (C) of y's type per channel of (N,C,H,W); in place. */
  default Kernel addBias(Tensor bias, Activation activation, Tensor y) {
    contract().image("y", y);
    Contract.vector("bias", bias, contract().type(), y.shape().dim(1));
    return compileAddBias(bias, activation, y);
  }

  Kernel compileAddBias(Tensor bias, Activation activation, Tensor y);
}
