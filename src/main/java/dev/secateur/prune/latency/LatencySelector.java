package dev.secateur.prune.latency;

import dev.secateur.SecateurException;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.BlockSelection;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Selector;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.criterion.Importance;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.DoubleFunction;

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
    Graph smallest = Surgery.shrink(graph, BlockSelection.unscored(recipe, graph).all());
    if (!goal.reached(graph, smallest)) {
      throw goal.unreachable(graph, smallest);
    }
  }

  @Override
  public Removal select(Graph first, Network net, ChannelGroups groups, Importance importance) {
    DoubleFunction<Optional<Removal>> selection =
        recipe.choice().scope().blocks()
            ? new WithBlocks(first, groups.graph(), importance)::within
            : of(first, groups, importance, LatencySelection.Loss.SHARE)::within;
    double ratio = recipe.choice().pruningRatio().orElse(1.0);
    double limit = goal.step(first, groups.graph(), ratio);
    boolean last = limit <= goal.limit(first);
    Removal removal =
        selection
            .apply(limit)
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
      Optional<Removal> tighter = excess <= 1 ? Optional.empty() : selection.apply(asked / excess);
      if (tighter.isEmpty()) {
        break;
      }
      asked /= excess;
      removal = tighter.get();
    }
    return removal;
  }

  private LatencySelection of(
      Graph first, ChannelGroups groups, Importance importance, LatencySelection.Loss loss) {
    return LatencySelection.of(groups, importance, recipe.choice(), first, goal.steps(), loss);
  }

  /**
   * For each number of blocks that go a knapsack of filters; what loses the least in all counts.
   */
  private final class WithBlocks {
    private final List<BlockSelection.Left> left = new ArrayList<>();
    private final List<LatencySelection> filters = new ArrayList<>();
    private final Importance importance;
    private final double[] loss;

    WithBlocks(Graph first, Graph now, Importance importance) {
      this.importance = importance;
      BlockSelection blocks = new BlockSelection(recipe, first, now, importance);
      loss = new double[blocks.size() + 1];
      for (int k = 0; k < loss.length; k++) {
        BlockSelection.Left l = blocks.without(k);
        left.add(l);
        filters.add(of(first, l.groups(), importance, LatencySelection.Loss.SUM));
        loss[k] = blocks.loss(k);
      }
    }

    Optional<Removal> within(double milliseconds) {
      Optional<Removal> best = Optional.empty();
      double least = Double.POSITIVE_INFINITY;
      for (int k = 0; k < loss.length; k++) {
        Optional<Removal> also = filters.get(k).within(milliseconds);
        if (also.isPresent()) {
          double all = loss[k] + loss(left.get(k), also.get());
          if (all < least) {
            least = all;
            best = Optional.of(left.get(k).and(also.get()));
          }
        }
      }
      return best;
    }

    private double loss(BlockSelection.Left l, Removal removal) {
      double[] of = l.groups().importance(importance, recipe.choice().groupReduction());
      return l.groups().of(removal, of).sum();
    }
  }
}
