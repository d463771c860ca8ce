package dev.secateur.prune;

import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.HoldOut;

/**
 * Which images do what while a network is pruned: one rule for every command.
 *
 * @param scoring training images that filters are scored on
 * @param tuning training images that the network is fine-tuned on
 * @param evaluation what accuracies are measured on
 * @param heldOut the part of the training images that nothing learns from: what epochs of
 *     fine-tuning are compared on
 */
public record Images(Dataset scoring, Dataset tuning, Dataset evaluation, Dataset heldOut) {

  /**
   * The recipe's part of the training images is held out, by its seed, and evaluates; the first of
   * the others, which are mixed, score and fine-tune.
   *
   * @param train all training images
   */
  public static Images of(Dataset train, Recipe recipe) {
    HoldOut parts = HoldOut.of(train, recipe.holdOut(), recipe.seed());
    return new Images(
        DataSets.first(parts.train(), recipe.scoring().samples().most()),
        DataSets.first(parts.train(), recipe.fineTuning().samples().most()),
        parts.held(),
        parts.held());
  }

  /** The same with accuracies measured elsewhere, such as on the test images. */
  public Images evaluatedOn(Dataset other) {
    return new Images(scoring, tuning, other, heldOut);
  }
}
