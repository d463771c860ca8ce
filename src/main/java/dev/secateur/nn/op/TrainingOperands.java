package dev.secateur.nn.op;

import dev.secateur.device.Activation;
import dev.secateur.device.Kernel;
import dev.secateur.tensor.Tensor;
import java.util.Optional;

/** A node of a training step: what its kernels work on, and where they go. */
public interface TrainingOperands {
  /** What the forward kernel works on. */
  Operands operands();

  Gradients gradients();

  /** The gradient of the result, behind what is fused to the node. */
  Tensor dy();

  /** The activation that is computed with the node. */
  Activation fused();

  /** What the running statistics take of a batch, where not as the node says. */
  Optional<Float> normMomentum();

  /** A parameter in the network's own memory, F32, without additional channels. */
  Tensor own(String part);

  /** A vector of the network's own, F32, with the zeros behind it that the operands want. */
  Tensor wide(String part);

  /** Whether the gradient of an input is wanted. */
  boolean learns(int input);

  /** Memory for the gradient of an input; it lasts until it is contributed. */
  Tensor gradient(int input);

  /** Takes what lies in {@link #gradient} once the kernels so far have run. */
  void contribute(int input);

  /**
   * The gradient of every input is {@link #dy}, as it is in front of an activation; no memory is
   * copied where that can be spared.
   */
  void passOn(Activation activation);

  void forward(Kernel kernel);

  void backward(Kernel kernel);

  /** The gradient of the node's bias, where it has one. */
  default void biasBackward(boolean bias) {
    if (bias) {
      Tensor gradient = gradients().ofVector(operands().node() + ".bias");
      backward(operands().device().reductions().biasBackward(dy(), gradient));
    }
  }

  /** Where the gradient of the node's weights is wanted. */
  default Tensor weightGradient() {
    return gradients().ofFilters(operands().node() + ".weight");
  }
}
