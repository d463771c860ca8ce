package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.prune.criterion.Importance;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Chooses residual blocks and channel groups by one order: a block goes where channel groups of no
 * less importance would go in its place. For each number of blocks, from the least important on,
 * the channel groups of what is left are chosen as ever.
 */
public final class BlockSelection {
  private final Recipe recipe;
  private final Graph original;
  private final Graph now;
  private final Importance importance;

  /** The order of blocks, ascending: what channel groups' is compared with. */
  private final List<String> ascending;

  private final Map<String, Double> order = new LinkedHashMap<>();

  /** By the number of blocks that are gone. */
  private final Map<Integer, Left> left = new HashMap<>();

  /**
   * @param original the network that ratios of layers refer to
   * @param now what it has become
   * @param importance of the filters and blocks of that
   */
  public BlockSelection(Recipe recipe, Graph original, Graph now, Importance importance) {
    this.recipe = recipe;
    this.original = original;
    this.now = now;
    this.importance = importance;
    this.ascending = new ArrayList<>(recipe.blocks(now).names());
    ascending.sort(Comparator.comparingDouble(this::importance));
    for (int i = 0; i < ascending.size(); i++) {
      // where like is compared with like, blocks are of a kind
      boolean global = recipe.choice().ranking() == Ranking.GLOBAL;
      double rank = (i + 1.0) / ascending.size();
      order.put(ascending.get(i), global ? importance(ascending.get(i)) : rank);
    }
  }

  /** A selection where all importance are equal, to see how far one can go. */
  public static BlockSelection unscored(Recipe recipe, Graph graph) {
    Map<String, float[]> zero = new LinkedHashMap<>();
    recipe.blocks(graph).names().forEach(b -> zero.put(b, new float[1]));
    return new BlockSelection(recipe, graph, graph, new Importance("", zero));
  }

  /** A network without some blocks. */
  public record Left(Removal blocks, Graph graph, ChannelGroups groups) {
    /** Blocks that are gone, and filters of what is left. */
    public Removal and(Removal filters) {
      return blocks.beside(filters);
    }
  }

  /** What is left without the so many least important blocks. */
  public Left without(int count) {
    return left.computeIfAbsent(count, this::cut);
  }

  private Left cut(int count) {
    Removal gone = ResidualBlocks.removal(ascending.subList(0, count));
    Graph graph = count == 0 ? now : Surgery.shrink(now, gone);
    return new Left(gone, graph, recipe.groups(graph));
  }

  /** Blocks that may go. */
  public int size() {
    return ascending.size();
  }

  /**
   * What the removal of the so many least important blocks loses: of each its importance as often
   * as it has filters that could go alone, once at least.
   */
  public double loss(int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      int filters = without(i).groups().filters() - without(i + 1).groups().filters();
      sum += Math.max(1, filters) * importance(ascending.get(i));
    }
    return sum;
  }

  private double importance(String block) {
    return importance.byFilter().get(block)[0];
  }

  /**
   * A part of the prunable filters, those of blocks among them; where blocks alone may go, a part
   * of these, rounded down.
   */
  Removal lowest(double ratio) {
    if (recipe.choice().scope().filters().isEmpty()) {
      return without((int) Math.floor(ratio * ascending.size())).blocks();
    }
    int all = without(0).groups().filters();
    int wanted = (int) Math.floor(ratio * all);
    for (int k = 0; ; k++) {
      Left left = without(k);
      int missing = wanted - (all - left.groups().filters());
      Selection selection = selection(left);
      Removal filters = missing > 0 ? selection.lowestFilters(missing) : Removal.NONE;
      boolean fits = k < ascending.size() && all - without(k + 1).groups().filters() <= wanted;
      if (!fits || !before(k, left, filters)) {
        return left.and(filters);
      }
    }
  }

  /** As few as reach targets; empty where all that may go is not enough. */
  Optional<Removal> until(List<Target> targets) {
    Optional<Removal> found = Optional.empty();
    for (int k = 0; k <= ascending.size(); k++) {
      Left left = without(k);
      Optional<Removal> filters =
          Target.reached(targets, original, left.graph())
              ? Optional.of(Removal.NONE)
              : selection(left).until(g -> Target.reached(targets, original, g));
      boolean last = k == ascending.size();
      if (filters.isPresent()) {
        found = filters.map(left::and);
      }
      if (filters.isPresent() && (last || !before(k, left, filters.get()))) {
        return found;
      }
    }
    return found;
  }

  /** All that may go. */
  public Removal all() {
    Left left = without(ascending.size());
    return left.and(
        Selection.unscored(left.groups(), recipe.choice().constraints(original), original).all());
  }

  /** Whether the next block matters no more than some of the filters that would go. */
  private boolean before(int next, Left left, Removal filters) {
    double[] of = recipe.choice().order(left.groups(), importance);
    OptionalDouble highest = left.groups().of(filters, of).max();
    return highest.isPresent() && order.get(ascending.get(next)) <= highest.getAsDouble();
  }

  private Selection selection(Left left) {
    double[] of = recipe.choice().order(left.groups(), importance);
    return new Selection(left.groups(), of, recipe.choice().constraints(original), original);
  }
}
