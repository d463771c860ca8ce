package dev.secateur.prune;

import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import dev.secateur.prune.criterion.Importance;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The recipe's pruning ratio of the filters left in each iteration, or what reaches its targets
 * where that is the last step or no ratio is given.
 */
public final class RatioSelector implements Selector {
  private final Recipe recipe;

  public RatioSelector(Recipe recipe) {
    this.recipe = recipe.resolved();
  }

  @Override
  public void checkPossible(Graph graph) {
    Recipe.Choice choice = recipe.choice();
    ChannelGroups groups = recipe.groups(graph);
    Selection selection = Selection.unscored(groups, choice.constraints(graph), graph);
    Removal most = BlockSelection.unscored(recipe, graph).all();
    if (most.isEmpty()) {
      throw new SecateurException(
          "no filter or block can go: "
              + (recipe.prunable(graph) == 0
                  ? "none is in scope, or all are kept"
                  : "no layer can keep a multiple of " + choice.roundTo() + " and lose any"));
    }
    Graph smallest = Surgery.shrink(graph, most);
    for (Target t : recipe.stop().targets()) {
      if (!t.reached(graph, smallest)) {
        throw t.unreachable(graph, smallest);
      }
    }
    int iterations = recipe.stop().iterations().orElseThrow();
    double ratio = choice.pruningRatio().orElse(1.0);
    double lost = groups.filters() * (1 - Math.pow(1 - ratio, iterations));
    if (selection.required() > lost) {
      throw new SettingException(
          "choice.min-pruning-ratio",
          String.format(
              Locale.ROOT,
              "asks for %d of %d filters, but %d iterations at a pruning ratio of %s remove %.0f",
              selection.required(),
              groups.filters(),
              iterations,
              ratio,
              lost));
    }
  }

  @Override
  public Removal select(Graph original, Network net, ChannelGroups groups, Importance importance) {
    Recipe.Choice choice = recipe.choice();
    if (choice.scope().blocks()) {
      return withBlocks(original, net.graph(), importance);
    }
    Constraints constraints = choice.constraints(original);
    Selection selection =
        new Selection(groups, choice.order(groups, importance), constraints, original);
    List<Target> targets = recipe.stop().targets();
    Removal removal = Removal.NONE;
    if (choice.pruningRatio().isPresent()
        && (targets.isEmpty() || selection.allows(choice.pruningRatio().get()))) {
      double ratio = choice.pruningRatio().get();
      removal =
          choice.threshold() == Threshold.SHARE
              ? selection.nearest(ratio)
              : selection.lowest(ratio);
    }
    if (removal.isEmpty() && !targets.isEmpty()) {
      // no ratio, or it is too much or too little for what is left: the last step
      removal =
          selection
              .until(g -> Target.reached(targets, original, g))
              .orElseThrow(() -> new SecateurException("the targets are out of reach"));
    }
    if (removal.isEmpty()) {
      int multiple = constraints.roundTo();
      throw new SecateurException(
          "a pruning ratio of "
              + choice.pruningRatio().orElseThrow()
              + " removes no filter of the "
              + groups.filters()
              + " left"
              + (multiple > 1 ? " when those kept are multiples of " + multiple : ""));
    }
    return removal;
  }

  private Removal withBlocks(Graph original, Graph now, Importance importance) {
    BlockSelection selection = new BlockSelection(recipe, original, now, importance);
    Optional<Double> ratio = recipe.choice().pruningRatio();
    List<Target> targets = recipe.stop().targets();
    Removal removal = ratio.map(selection::lowest).orElse(Removal.NONE);
    if (removal.isEmpty() && !targets.isEmpty()) {
      removal =
          selection
              .until(targets)
              .orElseThrow(() -> new SecateurException("the targets are out of reach"));
    }
    if (removal.isEmpty()) {
      throw new SecateurException(
          "a pruning ratio of "
              + ratio.orElseThrow()
              + " removes none of the "
              + recipe.prunable(now)
              + " filters and blocks left");
    }
    return removal;
  }
}
