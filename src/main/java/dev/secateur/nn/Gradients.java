package dev.secateur.nn;

import dev.secateur.tensor.Tensor;

/** Where the gradients of parameters are wanted. */
interface Gradients {

  /** That of a convolution's weights, in the device's type and layout. */
  Tensor ofFilters(String parameter);

  /** That of any other trainable parameter, F32 in its shape. */
  Tensor of(String parameter);
}
