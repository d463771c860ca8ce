package dev.secateur.device;

import dev.secateur.tensor.Tensor;
import java.util.Optional;

/**
 * What a row of logits is to become, beside its label.
 *
 * @param smoothing the target is (1 - smoothing) one-hot + smoothing / K
 * @param mix a second label for each row (Zhang et al. 2018)
 * @param teacher a network to be imitated (Hinton et al. 2015)
 */
public record Targets(float smoothing, Optional<Mix> mix, Optional<Teacher> teacher) {

  /** Labels alone. */
  public static Targets smoothed(float smoothing) {
    return new Targets(smoothing, Optional.empty(), Optional.empty());
  }

  /**
   * The one-hot target is share of the label and the rest of the second one.
   *
   * @param labels I32 (N), each below K
   * @param shares F32 (N), from 0 to 1
   */
  public record Mix(Tensor labels, Tensor shares) {}

  /**
   * The loss is (1 - weight) cross-entropy + weight temperature² KL(teacher || student), both at
   * the temperature.
   *
   * @param logits of the teacher, F32 (N,K)
   */
  public record Teacher(Tensor logits, float temperature, float weight) {}
}
