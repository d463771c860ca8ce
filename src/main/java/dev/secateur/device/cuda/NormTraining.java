package dev.secateur.device.cuda;

import dev.secateur.device.Arena;
import dev.secateur.tensor.Tensor;

/** The operands of {@link dev.secateur.device.Device#batchNormTraining}. */
record NormTraining(
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
    Tensor dbeta,
    Arena arena) {

  long channels() {
    return x.shape().dim(1);
  }

  /** Values to a channel. */
  long rows() {
    return x.elements() / channels();
  }
}
