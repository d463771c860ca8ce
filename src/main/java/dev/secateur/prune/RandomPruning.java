package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.prune.criterion.Importance;

/** Networks of fewer filters whose accuracy does not matter: to be timed. */
public final class RandomPruning {
  private RandomPruning() {}

  /**
   * A model without a part of its prunable filters, drawn over all layers alike.
   *
   * @param ratio part of the filters of {@link Scope#PAPER}
   */
  public static Model remove(Model model, double ratio, long seed) {
    Graph graph = model.graph();
    ChannelGroups groups = ChannelGroups.of(graph, Scope.PAPER);
    Importance random = new Importance("random", Criteria.random(graph, groups.layers(), seed));
    Selection selection =
        new Selection(
            groups, groups.importance(random, GroupReduction.MEAN), Constraints.NONE, graph);
    return Surgery.remove(model, selection.lowest(ratio));
  }
}
