package dev.secateur.prune;

import dev.secateur.SecateurException;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * Chooses units by one global threshold over all layers: those of lowest score go first, ties by
 * layer, then by filter. A unit that would leave a layer (or any node) without channels, or break a
 * maximum rate, is passed over and the next lowest goes instead.
 *
 * <p>With a multiple to round to, a layer whose filters left are none gets back the highest of its
 * removed units until they are, or until nothing is removed from it.
 */
public final class Selection {
  private final Units units;
  private final int roundTo;

  /**
   * Units in the order in which they go; the first {@link #urgent} are asked for by least rates.
   */
  private final int[] order;

  private final int urgent;

  /** By layer: filters now, what the filters left are a multiple of, how many may go. */
  private final int[] width;

  private final int[] multiple;
  private final int[] most;

  /** By layer: its units in the order in which they go. */
  private final int[][] byLayer;

  /**
   * @param scores of every convolution in the units
   * @param original the network that rates of layers refer to: the units', or what that was pruned
   *     from
   */
  public Selection(
      Units units, Scores scores, GroupScore kind, Constraints constraints, Graph original) {
    this(units, units.scores(scores, kind), constraints, original);
  }

  private Selection(Units units, double[] scores, Constraints constraints, Graph original) {
    this.units = units;
    this.roundTo = constraints.roundTo();
    int layers = units.layers().size();
    width = new int[layers];
    multiple = new int[layers];
    most = new int[layers];
    int[] least = new int[layers];
    for (int l = 0; l < layers; l++) {
      Node n = units.graph().node(units.layers().get(l));
      width[l] = units.graph().shape(n.name()).size(1);
      boolean depthwise = Coupling.depthwise(units.graph(), n);
      multiple[l] = roundTo * (depthwise ? 1 : Coupling.groups(n.op()));
      int before = original.shape(n.name()).size(1);
      most[l] = constraints.most(n.name(), before) - (before - width[l]);
      least[l] = constraints.least(n.name(), before) - (before - width[l]);
    }
    int[] byScore =
        IntStream.range(0, units.size())
            .boxed()
            .sorted(Comparator.comparingDouble(u -> scores[u]))
            .mapToInt(u -> u)
            .toArray();
    order = new int[byScore.length];
    urgent = shortLayersFirst(byScore, least);
    byLayer = new int[layers][];
    for (int l = 0; l < layers; l++) {
      byLayer[l] = new int[width[l]];
    }
    int[] at = new int[layers];
    for (int u : order) {
      for (int f = units.from(u); f < units.from(u + 1); f++) {
        int l = units.layer(f);
        if (at[l] == 0 || byLayer[l][at[l] - 1] != u) {
          byLayer[l][at[l]++] = u;
        }
      }
    }
    for (int l = 0; l < layers; l++) {
      byLayer[l] = Arrays.copyOf(byLayer[l], at[l]);
    }
  }

  /** A selection where all scores are equal, to see how far one can go. */
  static Selection unscored(Units units, Constraints constraints, Graph original) {
    return new Selection(units, new double[units.size()], constraints, original);
  }

  /** Fills {@link #order}; how many units the least rates ask for. */
  private int shortLayersFirst(int[] byScore, int[] least) {
    Taken taken = new Taken();
    int at = 0;
    for (int u : byScore) {
      boolean asked = false;
      for (int f = units.from(u); f < units.from(u + 1); f++) {
        asked |= taken.removed[units.layer(f)] < least[units.layer(f)];
      }
      if (asked && taken.take(u)) {
        order[at++] = u;
      }
    }
    int first = at;
    for (int u : byScore) {
      if (!taken.chosen[u]) {
        order[at++] = u;
      }
    }
    return first;
  }

  /** Units that go, and what is left. */
  final class Taken {
    private final boolean[] chosen = new boolean[units.size()];
    private final int[] left = units.widths();
    private final int[] removed = new int[width.length];
    private int filters;

    boolean take(int unit) {
      boolean fits = count(unit, 1);
      if (!fits || !units.take(unit, left)) {
        count(unit, -1);
        return false;
      }
      chosen[unit] = true;
      return true;
    }

    void giveBack(int unit) {
      chosen[unit] = false;
      count(unit, -1);
      units.giveBack(unit, left);
    }

    boolean goes(int unit) {
      return chosen[unit];
    }

    /** Channels left by node; changes with what is taken. */
    int[] left() {
      return left;
    }

    /** Ascending filter indices by convolution. */
    Map<String, int[]> byLayer() {
      return units.filters(chosen);
    }

    /** Counts a unit's filters; whether no layer loses more than it may. */
    private boolean count(int unit, int sign) {
      boolean fits = true;
      for (int f = units.from(unit); f < units.from(unit + 1); f++) {
        int l = units.layer(f);
        removed[l] += sign;
        filters += sign;
        fits &= removed[l] <= most[l];
      }
      return fits;
    }

    /** Gives back until what is left in layers that lose any are multiples. */
    void round() {
      int[] at = new int[width.length];
      Arrays.setAll(at, l -> byLayer[l].length);
      for (boolean changed = true; changed; ) {
        changed = false;
        for (int l = 0; l < width.length; l++) {
          while (removed[l] > 0 && (width[l] - removed[l]) % multiple[l] != 0) {
            int unit = byLayer[l][--at[l]];
            if (chosen[unit]) {
              giveBack(unit);
              changed = true;
            }
          }
        }
      }
    }
  }

  /** The first units in order, but for those that cannot go, rounded. */
  private Taken first(int offered) {
    Taken t = new Taken();
    for (int i = 0; i < offered; i++) {
      t.take(order[i]);
    }
    if (roundTo > 1) {
      t.round();
    }
    return t;
  }

  /**
   * The units of lowest score that make up {@code floor(rate * filters)} filters, exactly where
   * each is one filter; where the next unit is too heavy for what is missing, lighter ones further
   * on go. With rounding the threshold is the highest that removes not more than that.
   *
   * @return ascending filter indices by convolution
   * @throws SecateurException when so many cannot be removed
   */
  public Map<String, int[]> lowest(double rate) {
    if (!(rate > 0 && rate < 1)) {
      throw new SecateurException("rate " + rate + ": expected a number between 0 and 1");
    }
    int wanted = wanted(rate);
    if (!allows(rate)) {
      throw new SecateurException(
          "rate "
              + rate
              + " asks for "
              + wanted
              + " filters, but only "
              + first(order.length).filters
              + " can go when every layer keeps one"
              + (roundTo > 1 ? " and the others a multiple of " + roundTo : ""));
    }
    Taken taken;
    if (roundTo > 1) {
      taken = first(bisect(0, order.length, n -> first(n).filters > wanted) - 1);
    } else {
      taken = new Taken();
      for (int u : order) {
        if (taken.filters + units.weight(u) <= wanted) {
          taken.take(u);
        }
      }
    }
    return units.filters(taken.chosen);
  }

  /** Whether so many filters can go. */
  boolean allows(double rate) {
    return first(order.length).filters >= wanted(rate);
  }

  private int wanted(double rate) {
    return (int) Math.floor(rate * units.filters());
  }

  /**
   * As few of the lowest units as make the network small enough, but all that least rates ask for.
   *
   * @return empty where even {@link #all} does not
   */
  public Optional<Map<String, int[]>> until(Predicate<Graph> enough) {
    int n =
        bisect(
            urgent,
            order.length,
            k -> enough.test(Surgery.shrink(units.graph(), units.filters(first(k).chosen))));
    return n > order.length ? Optional.empty() : Optional.of(units.filters(first(n).chosen));
  }

  /** All that may go. */
  Map<String, int[]> all() {
    return units.filters(first(order.length).chosen);
  }

  /** What least rates ask for, not rounded. */
  Taken least() {
    Taken t = new Taken();
    for (int i = 0; i < urgent; i++) {
      t.take(order[i]);
    }
    return t;
  }

  /** Whether a unit's layers are left with multiples when they lose so many units like it. */
  boolean leavesMultiples(int unit, int many) {
    Map<Integer, Integer> filters = new HashMap<>();
    for (int f = units.from(unit); f < units.from(unit + 1); f++) {
      filters.merge(units.layer(f), 1, Integer::sum);
    }
    return filters.entrySet().stream()
        .allMatch(e -> (width[e.getKey()] - many * e.getValue()) % multiple[e.getKey()] == 0);
  }

  /** Filters that least rates ask for. */
  int urgent() {
    return first(urgent).filters;
  }

  /**
   * The least number of [from, to] that holds, if any larger than one that holds does; else to + 1.
   */
  private static int bisect(int from, int to, Predicate<Integer> holds) {
    int low = from;
    int high = to + 1;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (holds.test(middle)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
}
