package dev.secateur.prune;

import dev.secateur.SettingException;
import dev.secateur.device.GroupPenalty;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.Penalty;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.prune.Recipe.SparseTraining;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What makes filters small before they go: the penalty of a recipe's sparse training. Filters of
 * transposed convolutions, whose weights do not lie together, are pulled by the scale of their
 * batch norm alone.
 */
public final class SparsePenalty {
  private SparsePenalty() {}

  /**
   * Says before the first batch what could only be found out later.
   *
   * @param recipe resolved
   * @throws SettingException where there is no such training for the network
   */
  public static void check(Recipe recipe, Graph graph) {
    SparseTraining training = recipe.sparseTraining();
    if (training.none()) {
      return;
    }
    of(training, graph, recipe.groups(graph).all());
  }

  /**
   * @param training resolved, not none
   * @param filters all that may go, or with {@link SparseTraining.Kind#GROWING} those that will
   * @throws SettingException where none of them has what the penalty is on
   */
  static Penalty of(SparseTraining training, Graph graph, Removal filters) {
    boolean growing = training.kind() == SparseTraining.Kind.GROWING;
    Map<String, int[]> slices = new LinkedHashMap<>();
    filters
        .filters()
        .forEach(
            (layer, own) -> {
              if (!graph.node(layer).op().hasFilters()) {
                return; // a residual block
              }
              if (training.kind() != SparseTraining.Kind.BN_SCALE
                  && graph.node(layer).op() instanceof Convolution) {
                slices.put(graph.node(layer).parameter("weight"), own);
              }
              if (training.kind() != SparseTraining.Kind.GROUP_LASSO) {
                norm(graph, layer).ifPresent(n -> slices.put(n.parameter("weight"), own));
              }
            });
    if (slices.isEmpty()) {
      throw new SettingException(
          "sparse-training.kind",
          training.kind() + ": no prunable filter has what it would make small");
    }
    return new Penalty(
        growing ? GroupPenalty.RIDGE : GroupPenalty.LASSO,
        slices,
        training.strength().orElseThrow(),
        growing);
  }

  /** The batch norm right behind a convolution, where that is all that reads it. */
  private static Optional<Node> norm(Graph graph, String layer) {
    List<Node> next = graph.consumers(layer);
    return next.size() == 1 && next.get(0).op() instanceof BatchNorm
        ? Optional.of(next.get(0))
        : Optional.empty();
  }
}
