package dev.secateur.nn.op;

import dev.secateur.tensor.DType;
import dev.secateur.tensor.Tensor;

/** Where the parameters of layers lie, as layers read them. */
public interface Parameters {

  /** The weights of a convolution or linear layer, in the device's type and layout. */
  Tensor weights(String parameter);

  /** Another parameter, PLAIN, in a type: that of what it is added to or scales. */
  Tensor vector(String parameter, DType type);
}
