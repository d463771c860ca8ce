package dev.secateur.nn.op;

import dev.secateur.tensor.Tensor;

/** Where the gradients of parameters are wanted. */
public interface Gradients {

  /** That of a convolution's weights, in the device's type and layout. */
  Tensor ofFilters(String parameter);

  /** That of a vector, F32, with zeros behind it where the program's widths want them. */
  Tensor ofVector(String parameter);

  /** That of any trainable parameter, F32 in its shape. */
  Tensor of(String parameter);
}
