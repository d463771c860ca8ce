package dev.secateur.prune;

import dev.secateur.SettingException;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.HoldOut;
import dev.secateur.data.Labels;

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
   * @throws SettingException for what the recipe cannot do with these images, or without any
   */
  public static Images of(Dataset train, Recipe recipe) {
    check(train, recipe);
    HoldOut parts = HoldOut.of(train, recipe.holdOut(), recipe.seed());
    return new Images(
        DataSets.first(parts.train(), recipe.scoring().samples().most()),
        DataSets.first(parts.train(), recipe.fineTuning().samples().most()),
        parts.held(),
        parts.held());
  }

  /** Whether there are none at all. */
  public boolean none() {
    return scoring.size() == 0;
  }

  /**
   * Says what of a recipe cannot be with images of a kind, or without any.
   *
   * @param train all training images
   * @throws SettingException naming the setting
   */
  public static void check(Dataset train, Recipe recipe) {
    if (train.size() == 0) {
      checkWithout(recipe);
    } else if (train.labels() == Labels.NONE && recipe.criterion().needsLabels()) {
      throw wrongCriterion(
          recipe, " tells by classes what matters, and there are none", "hrank, inffs, ");
    }
  }

  private static SettingException wrongCriterion(Recipe recipe, String why, String more) {
    return new SettingException(
        "scoring.criterion",
        recipe.scoring().criterion()
            + why
            + "; expected "
            + more
            + "l1, l2, fpgm, bn-scale, outgoing or random");
  }

  private static void checkWithout(Recipe recipe) {
    if (recipe.criterion().needsData()) {
      throw wrongCriterion(recipe, " looks at images, and no data is given", "");
    }
    Recipe.FineTuning tuning = recipe.fineTuning();
    needs(!tuning.none(), "fine-tuning.epochs", tuning.epochs(), "0");
    needs(
        tuning.bnRecalibration() > 0,
        "fine-tuning.bn-recalibration",
        tuning.bnRecalibration(),
        "0");
    needs(
        !recipe.sparseTraining().none(),
        "sparse-training.kind",
        recipe.sparseTraining().kind(),
        "none");
    recipe
        .stop()
        .maxDrop()
        .ifPresent(d -> needs(true, "stop.max-drop", d, "another rule to stop by"));
  }

  private static void needs(boolean images, String setting, Object value, String without) {
    if (images) {
      throw new SettingException(
          setting, value + ": needs images, and no data is given; expected " + without);
    }
  }

  /** The same with accuracies measured elsewhere, such as on the test images. */
  public Images evaluatedOn(Dataset other) {
    return new Images(scoring, tuning, other, heldOut);
  }
}
