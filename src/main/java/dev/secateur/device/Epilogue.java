package dev.secateur.device;

import dev.secateur.tensor.Tensor;
import java.util.Optional;

/**
 * What is fused behind a convolution or linear layer: y = function(activation(conv(x) + bias +
 * residual)).
 *
 * @param bias (K), of the type of y, or empty
 * @param residual shaped and laid out as y, or empty
 * @param function another function of each element, behind convolutions only, or empty
 */
public record Epilogue(
    Optional<Tensor> bias,
    Optional<Tensor> residual,
    Activation activation,
    Optional<ElementwiseSpec> function) {
  public static final Epilogue NONE =
      new Epilogue(Optional.empty(), Optional.empty(), Activation.NONE);

  public Epilogue(Optional<Tensor> bias, Optional<Tensor> residual, Activation activation) {
    this(bias, residual, activation, Optional.empty());
  }

  public static Epilogue bias(Tensor bias) {
    return new Epilogue(Optional.of(bias), Optional.empty(), Activation.NONE);
  }
}
