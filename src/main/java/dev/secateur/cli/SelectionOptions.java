package dev.secateur.cli;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.prune.Constraints;
import dev.secateur.prune.Constraints.LayerRate;
import dev.secateur.prune.GroupScore;
import dev.secateur.prune.Scope;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Which filters may go, and what the choice has to respect. */
final class SelectionOptions {
  /** Names as on the command line. */
  enum End {
    FIRST,
    LAST
  }

  @Mixin private ScopeOption scope;

  @Option(
      names = "--group-score",
      paramLabel = "mean|max|sum",
      defaultValue = "MEAN",
      description = "--scope all: how the scores of coupled filters become one; default mean")
  private GroupScore groupScore;

  @Option(
      names = "--round-to",
      paramLabel = "N",
      defaultValue = "1",
      converter = Converters.Count.class,
      description = {
        "keep a multiple of N filters in each layer that loses any (each group of a grouped",
        "one), such as 8; an iteration then removes at most --rate"
      })
  private int roundTo;

  @Option(
      names = "--keep",
      paramLabel = "LAYER",
      description = "layers that lose nothing, such as layer1.*; repeatable")
  private List<String> keep = List.of();

  @Option(
      names = "--exclude",
      paramLabel = "first|last",
      split = ",",
      description = "keep the first or last convolution as it is, or both: first,last")
  private List<End> exclude = List.of();

  @Option(
      names = "--min-rate",
      paramLabel = "[LAYER=]R",
      converter = Converters.RateOfLayers.class,
      description = {
        "part of its original filters that a layer is to lose: such layers lose theirs first;",
        "repeatable"
      })
  private List<LayerRate> minRates = List.of();

  @Option(
      names = "--max-rate",
      paramLabel = "[LAYER=]R",
      converter = Converters.RateOfLayers.class,
      description = {
        "part of its original filters that a layer may lose over all iterations, such as 0.7 or",
        "layer2.*=0.5; repeatable, the last that fits counts"
      })
  private List<LayerRate> maxRates = List.of();

  Scope scope() {
    return scope.scope();
  }

  GroupScore groupScore() {
    return groupScore;
  }

  Constraints constraints(Graph graph) {
    List<String> convolutions =
        graph.nodes().stream()
            .filter(n -> n.op() instanceof Op.Convolution)
            .map(Node::name)
            .toList();
    List<String> kept = new ArrayList<>(keep);
    if (!convolutions.isEmpty()) {
      exclude.forEach(
          e -> kept.add(convolutions.get(e == End.FIRST ? 0 : convolutions.size() - 1)));
    }
    return new Constraints(roundTo, kept, general(minRates), general(maxRates));
  }

  /** Rates for all layers before those for some. */
  private static List<LayerRate> general(List<LayerRate> rates) {
    return rates.stream().sorted(Comparator.comparing(r -> !r.pattern().equals("*"))).toList();
  }
}
