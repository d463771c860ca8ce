package dev.secateur.experiment;

import dev.secateur.prune.Removal;
import java.util.List;

/**
 * What came of one cell of the grid.
 *
 * @param steps one an iteration
 */
public record CellResult(String criterion, double ratio, long seed, List<Step> steps) {

  /**
   * The network after an iteration; accuracies are top-1 in per cent on the test split.
   *
   * @param filters prunable filters left
   * @param parameters trainable numbers left
   * @param macs for one image
   * @param removed filters that went in this iteration, by convolution, indices before removal
   * @param before accuracy after removal, before fine-tuning
   * @param after accuracy after fine-tuning; as before where there is none
   */
  public record Step(
      int iteration,
      int filters,
      long parameters,
      long macs,
      Removal removed,
      double before,
      double after) {}
}
