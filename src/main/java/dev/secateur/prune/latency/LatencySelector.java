package dev.secateur.prune.latency;

import dev.secateur.SecateurException;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Selection;
import dev.secateur.prune.Selector;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.criterion.Importance;
import java.util.Locale;
import java.util.Optional;

/**
 * Chooses by a knapsack of importance against measured milliseconds: each iteration saves the
 * recipe's pruning ratio of the present time, by the lookup table; where it is to reach the goal,
 * corrected by whole networks, measured, until it does.
 */
public final class LatencySelector implements Selector {
  /** Measurements that correct what the table says. */
  private static final int CORRECTIONS = 4;

  private final Recipe recipe;
  private final LatencyGoal goal;
  private final Model original;

  /**
   * @param original what is timed beside the pruned networks
   */
  public LatencySelector(Recipe recipe, LatencyGoal goal, Model original) {
    this.recipe = recipe.resolved();
    this.goal = goal;
    this.original = original;
  }

  @Override
  public void checkPossible(Graph graph) {
    Selection selection =
        Selection.unscored(recipe.groups(graph), recipe.choice().constraints(graph), graph);
    Graph smallest = Surgery.shrink(graph, selection.all());
    if (!goal.reached(graph, smallest)) {
      throw goal.unreachable(graph, smallest);
    }
  }

  @Override
  public Removal select(Graph first, Network net, ChannelGroups groups, Importance importance) {
    LatencySelection selection =
        LatencySelection.of(
            groups, importance, recipe.choice(), first, goal.steps(), LatencySelection.Loss.SHARE);
    double ratio = recipe.choice().pruningRatio().orElse(1.0);
    double limit = goal.step(first, groups.graph(), ratio);
    boolean last = limit <= goal.limit(first);
    Removal removal =
        selection
            .within(limit)
            .filter(r -> !r.isEmpty())
            .orElseThrow(
                () ->
                    new SecateurException(
                        String.format(
                            Locale.ROOT,
                            "no choice of filters brings inference from %.4g to %.4g ms",
                            goal.predicted(groups.graph()),
                            limit)));
    if (!last || goal.stopwatch().isEmpty()) {
      return removal;
    }
    Model now = net.toModel();
    double asked = limit;
    for (int i = 0; i < CORRECTIONS; i++) {
      Model smaller = Surgery.remove(now, removal);
      double excess = goal.excess(goal.stopwatch().get().time(original, smaller));
      Optional<Removal> tighter = excess <= 1 ? Optional.empty() : selection.within(asked / excess);
      if (tighter.isEmpty()) {
        break;
      }
      asked /= excess;
      removal = tighter.get();
    }
    return removal;
  }
}
