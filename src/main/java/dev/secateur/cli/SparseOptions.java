package dev.secateur.cli;

import dev.secateur.prune.Recipe;
import picocli.CommandLine.Option;

/** What a network learns before its first removal. */
final class SparseOptions {
  static final String HEADING = "%nSparse training, before the first removal, as fine-tuning:%n";

  @Option(
      names = "--sparse",
      paramLabel = "none|bn-scale|group-lasso|growing",
      description = {
        "bn-scale: L1 on the scales of batch norms behind prunable filters; group-lasso: the norms",
        "of prunable filters; growing: a growing L2 on those that would go now, and then do"
      })
  @Sets("sparse-training.kind")
  private Recipe.SparseTraining.Kind kind;

  @Option(
      names = "--sparse-strength",
      paramLabel = "S",
      description = "the penalty's factor; default 1e-4, growing: 1 at the end")
  @Sets("sparse-training.strength")
  private String strength;

  @Option(
      names = "--sparse-epochs",
      paramLabel = "N",
      description = "passes over the training images")
  @Sets("sparse-training.epochs")
  private String epochs;
}
