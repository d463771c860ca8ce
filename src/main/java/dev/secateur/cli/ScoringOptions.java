package dev.secateur.cli;

import dev.secateur.nn.Pooling;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.criterion.PlsSettings;
import picocli.CommandLine.Option;

/** How much a filter matters. Always by training images. */
class ScoringOptions {
  static final String HEADING = "%nScoring:%n";

  @Option(
      names = "--criterion",
      paramLabel = "NAME",
      completionCandidates = Converters.CriterionNames.class,
      description = "what says how much a filter matters: ${COMPLETION-CANDIDATES}")
  @Sets("scoring.criterion")
  private String criterion;

  @Option(names = "--components", paramLabel = "C", description = "PLS components")
  @Sets("scoring.components")
  private String components;

  @Option(
      names = "--pool",
      paramLabel = "max|avg",
      description = "how a channel becomes one number an image")
  @Sets("scoring.pool")
  private Recipe.Pool pool;

  @Option(
      names = "--features",
      paramLabel = "convolution|activation",
      description = {
        "where a filter's output is taken: convolution, before batch norm, as in the paper, or",
        "activation, behind the batch norm and activation that follow"
      })
  @Sets("scoring.features")
  private Pooling.Place features;

  @Option(
      names = "--columns",
      paramLabel = "all|prunable",
      description = "whose outputs PLS sees: every convolution's, or those that are scored")
  @Sets("scoring.columns")
  private PlsSettings.Columns columns;

  @Option(
      names = "--scale",
      paramLabel = "unit|pareto|none",
      description = {
        "what PLS divides the centred columns by: their deviation, its square root or nothing"
      })
  @Sets("scoring.scale")
  private PlsSettings.Scale scale;

  @Option(
      names = "--weighting",
      paramLabel = "none|outgoing",
      description = {
        "what PLS multiplies the columns with: nothing, or the norm of the weights that read the",
        "channel"
      })
  @Sets("scoring.weighting")
  private PlsSettings.Weighting weighting;

  @Option(
      names = "--projections",
      paramLabel = "one|per-layer",
      description = "one PLS over all layers, or one for each")
  @Sets("scoring.projections")
  private PlsSettings.Projections projections;

  @Option(names = "--samples", paramLabel = "N|all", description = "training images to score on")
  @Sets("scoring.samples")
  private String samples;

  @Option(
      names = "--hold-out",
      paramLabel = "F",
      description = "part of the training images kept for decisions, not scored on")
  @Sets("hold-out")
  private String holdOut;

  /** Of a command that trains nothing. */
  static final class Seeded extends ScoringOptions {
    @Option(
        names = "--seed",
        paramLabel = "N",
        description = "of the images held out and of random scores")
    @Sets("seed")
    private String seed;
  }
}
