package dev.secateur.cli;

import dev.secateur.prune.DeadFilters;
import dev.secateur.prune.GroupReduction;
import dev.secateur.prune.Ranking;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Threshold;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** Which filters may go, and what the choice has to respect. */
final class ChoiceOptions extends ScopeOptions {
  @Option(
      names = "--group-reduction",
      paramLabel = "mean|max|sum",
      description = "--scope all: how the importance of coupled filters becomes one")
  @Sets("choice.group-reduction")
  private GroupReduction groupReduction;

  @Option(
      names = "--dead-filters",
      paramLabel = "first|rank",
      description = {
        "first: filters that never fire on the scoring images, or that batch norm makes constant,",
        "go before all others and beside the ratio; rank: they are scored like the others"
      })
  @Sets("choice.dead-filters")
  private DeadFilters.Rule deadFilters;

  @Option(
      names = "--ranking",
      paramLabel = "global|layer|isomorphic",
      description = {
        "which filters are compared: all, those of a layer, or those in equal surroundings; each",
        "layer or kind then loses the same part"
      })
  @Sets("choice.ranking")
  private Ranking ranking;

  @Option(
      names = "--threshold",
      paramLabel = "count|share",
      description = {
        "count: exactly the ratio of filters goes and a layer keeps one; share: the authors' rule,",
        "nearest part of the scores, a layer that would go whole keeps all"
      })
  @Sets("choice.threshold")
  private Threshold threshold;

  @Option(
      names = "--round-to",
      paramLabel = "N",
      description = {
        "keep a multiple of N filters in each layer that loses any (each group of a grouped",
        "one), such as 8; an iteration then removes at most --pruning-ratio"
      })
  @Sets("choice.round-to")
  private String roundTo;

  @Option(
      names = "--keep",
      paramLabel = "LAYER",
      description = "layers that lose nothing, such as layer1.*; repeatable")
  @Sets("choice.keep")
  private List<String> keep;

  @Option(
      names = "--exclude",
      paramLabel = "first|last",
      split = ",",
      description = "keep the first or last convolution as it is, or both: first,last")
  @Sets("choice.exclude")
  private List<Recipe.End> exclude;

  @Option(
      names = "--min-pruning-ratio",
      paramLabel = "[LAYER=]R",
      converter = Converters.RatioOfLayers.class,
      description = {
        "part of its original filters that a layer is to lose: such layers lose theirs first;",
        "repeatable"
      })
  @Sets("choice.min-pruning-ratio")
  private List<Map.Entry<String, String>> minRatios;

  @Option(
      names = "--max-pruning-ratio",
      paramLabel = "[LAYER=]R",
      converter = Converters.RatioOfLayers.class,
      description = {
        "part of its original filters that a layer may lose over all iterations, such as 0.7 or",
        "layer2.*=0.5; repeatable, the last that fits counts"
      })
  @Sets("choice.max-pruning-ratio")
  private List<Map.Entry<String, String>> maxRatios;
}
