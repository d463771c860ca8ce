package dev.secateur.nn;

import java.util.Optional;

/**
 * How a network learns in a step.
 *
 * @param optimizer what moves parameters along their gradients
 * @param weightDecay of the weights of convolutions and linear layers
 * @param decayNorms the parameters of norms and all biases decay too, as where PyTorch is given all
 *     parameters in one group
 * @param labelSmoothing part of the target spread evenly over all classes
 * @param distillation what part a teacher has in the loss
 * @param ema what a moving average of all parameters and running statistics keeps of itself in a
 *     step; 0 for no average
 * @param penalty what makes it sparse
 */
public record Learning(
    Optimizer optimizer,
    float weightDecay,
    boolean decayNorms,
    float labelSmoothing,
    Optional<Distillation> distillation,
    float ema,
    Optional<Penalty> penalty) {

  /** Moves parameters along their gradients. */
  public sealed interface Optimizer {}

  /**
   * SGD as PyTorch defines it; weight decay is added to the gradient.
   *
   * @param momentum 0 for none
   * @param nesterov look ahead along the momentum
   */
  public record Sgd(float momentum, boolean nesterov) implements Optimizer {}

  /** AdamW as PyTorch defines it; weight decay is apart from the gradient. */
  public record AdamW(float beta1, float beta2, float eps) implements Optimizer {}

  /**
   * The loss is (1 - weight) cross-entropy + weight temperature² KL(teacher || network), both at
   * the temperature (Hinton et al. 2015).
   */
  public record Distillation(float temperature, float weight) {}

  /** SGD, and nothing else. */
  public static Learning sgd(
      float momentum,
      boolean nesterov,
      float weightDecay,
      boolean decayNorms,
      float labelSmoothing) {
    return new Learning(
        new Sgd(momentum, nesterov),
        weightDecay,
        decayNorms,
        labelSmoothing,
        Optional.empty(),
        0,
        Optional.empty());
  }

  /** The same with a penalty. */
  public Learning with(Penalty other) {
    return new Learning(
        optimizer, weightDecay, decayNorms, labelSmoothing, distillation, ema, Optional.of(other));
  }
}
