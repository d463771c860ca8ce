package dev.secateur.device;

import dev.secateur.tensor.Tensor;

/**
 * The operands of {@link Norms#batchNormTraining}: activations (N,C,H,W) and vectors (C) in F32.
 *
 * @param momentum share of the batch in the running statistics
 * @param relu y = max(0, norm(x))
 */
public record BatchNormTraining(
    Tensor x,
    Tensor gamma,
    Tensor beta,
    Tensor runningMean,
    Tensor runningVariance,
    float momentum,
    float eps,
    boolean relu,
    Tensor y,
    Tensor dy,
    Tensor dx,
    Tensor dgamma,
    Tensor dbeta) {

  /** C. */
  public long channels() {
    return x.shape().dim(1);
  }

  /** Values to a channel. */
  public long rows() {
    return x.elements() / channels();
  }
}
