package dev.secateur.nn;

import dev.secateur.device.GroupPenalty;
import java.util.Map;

/**
 * What the objective adds for slices of parameters, each a group: pulled to zero they make sparse.
 *
 * @param kind how a slice is pulled, see {@link dev.secateur.device.Training#groupPenalty}
 * @param slices by trainable parameter, indices of its first axis: filters of a convolution,
 *     channels of a batch norm's scale
 * @param strength of all slices; where it grows, at the end
 * @param grows linearly, from 0 at the beginning of the training
 */
public record Penalty(
    GroupPenalty kind, Map<String, int[]> slices, double strength, boolean grows) {

  /**
   * The strength at a time of the training.
   *
   * @param part of it that is over, from 0 to 1
   */
  public double at(double part) {
    return grows ? strength * part : strength;
  }
}
