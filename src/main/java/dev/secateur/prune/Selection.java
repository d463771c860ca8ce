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
 * Chooses channel groups by one global threshold over all layers: those of least importance go
 * first, ties by layer, then by filter. A group that would leave a layer (or any node) without
 * channels, or break a maximum ratio, is passed over and the next lowest goes instead.
 *
 * <p>With a multiple to round to, a layer whose filters left are none gets back the highest of its
 * removed groups until they are, or until nothing is removed from it.
 */
public final class Selection {
  private final ChannelGroups groups;
  private final double[] importance;
  private final int roundTo;

  /**
   * Groups in the order in which they go; the first {@link #required} are asked for by minimum
   * ratios.
   */
  private final int[] order;

  private final int required;

  /** By layer: filters now, what the filters left are a multiple of, how many may go. */
  private final int[] width;

  private final int[] multiple;
  private final int[] maximum;

  /** By layer: its groups in the order in which they go. */
  private final int[][] byLayer;

  /**
   * @param importance one number a group: those of lower ones go first
   * @param original the network that ratios of layers refer to: the groups', or what that was
   *     pruned from
   */
  public Selection(
      ChannelGroups groups, double[] importance, Constraints constraints, Graph original) {
    this.importance = importance;
    this.groups = groups;
    this.roundTo = constraints.roundTo();
    int layers = groups.layers().size();
    width = new int[layers];
    multiple = new int[layers];
    maximum = new int[layers];
    int[] minimum = new int[layers];
    for (int l = 0; l < layers; l++) {
      Node n = groups.graph().node(groups.layers().get(l));
      width[l] = groups.graph().shape(n.name()).size(1);
      boolean depthwise = n.op().depthwise(groups.graph().shape(n.inputs().get(0)).dim(1));
      multiple[l] = roundTo * (depthwise ? 1 : n.op().groups());
      int before = original.shape(n.name()).size(1);
      maximum[l] = constraints.maximum(n.name(), before) - (before - width[l]);
      minimum[l] = constraints.minimum(n.name(), before) - (before - width[l]);
    }
    int[] byImportance =
        IntStream.range(0, groups.size())
            .boxed()
            .sorted(Comparator.comparingDouble(g -> importance[g]))
            .mapToInt(u -> u)
            .toArray();
    order = new int[byImportance.length];
    required = requiredFirst(byImportance, minimum);
    byLayer = new int[layers][];
    for (int l = 0; l < layers; l++) {
      byLayer[l] = new int[width[l]];
    }
    int[] at = new int[layers];
    for (int u : order) {
      for (int f = groups.from(u); f < groups.from(u + 1); f++) {
        int l = groups.layer(f);
        if (at[l] == 0 || byLayer[l][at[l] - 1] != u) {
          byLayer[l][at[l]++] = u;
        }
      }
    }
    for (int l = 0; l < layers; l++) {
      byLayer[l] = Arrays.copyOf(byLayer[l], at[l]);
    }
  }

  /** A selection where all importance are equal, to see how far one can go. */
  public static Selection unscored(ChannelGroups groups, Constraints constraints, Graph original) {
    return new Selection(groups, new double[groups.size()], constraints, original);
  }

  /** Fills {@link #order}; how many groups the minimum ratios ask for. */
  private int requiredFirst(int[] byImportance, int[] minimum) {
    Mask mask = new Mask();
    int at = 0;
    for (int u : byImportance) {
      boolean asked = false;
      for (int f = groups.from(u); f < groups.from(u + 1); f++) {
        asked |= mask.removed[groups.layer(f)] < minimum[groups.layer(f)];
      }
      if (asked && mask.prune(u)) {
        order[at++] = u;
      }
    }
    int first = at;
    for (int u : byImportance) {
      if (!mask.pruned[u]) {
        order[at++] = u;
      }
    }
    return first;
  }

  /** ChannelGroups that go, and what is left. */
  public final class Mask {
    private final boolean[] pruned = new boolean[groups.size()];
    private final int[] remaining = groups.widths();
    private final int[] removed = new int[width.length];
    private int filters;

    public boolean prune(int group) {
      boolean fits = count(group, 1);
      if (!fits || !groups.prune(group, remaining)) {
        count(group, -1);
        return false;
      }
      pruned[group] = true;
      return true;
    }

    public void restore(int group) {
      pruned[group] = false;
      count(group, -1);
      groups.restore(group, remaining);
    }

    public boolean prunes(int group) {
      return pruned[group];
    }

    /** Channels left by node; changes with what is mask. */
    public int[] remaining() {
      return remaining;
    }

    /** Ascending filter indices by convolution. */
    public Removal removal() {
      return groups.filters(pruned);
    }

    /** Counts a group's filters; whether no layer loses more than it may. */
    private boolean count(int group, int sign) {
      boolean fits = true;
      for (int f = groups.from(group); f < groups.from(group + 1); f++) {
        int l = groups.layer(f);
        removed[l] += sign;
        filters += sign;
        fits &= removed[l] <= maximum[l];
      }
      return fits;
    }

    /** Gives back until what is left in layers that lose any are multiples. */
    public void round() {
      int[] at = new int[width.length];
      Arrays.setAll(at, l -> byLayer[l].length);
      for (boolean changed = true; changed; ) {
        changed = false;
        for (int l = 0; l < width.length; l++) {
          while (removed[l] > 0 && (width[l] - removed[l]) % multiple[l] != 0) {
            int group = byLayer[l][--at[l]];
            if (pruned[group]) {
              restore(group);
              changed = true;
            }
          }
        }
      }
    }
  }

  /** The first groups in order, but for those that cannot go, rounded. */
  private Mask first(int offered) {
    Mask t = new Mask();
    for (int i = 0; i < offered; i++) {
      t.prune(order[i]);
    }
    if (roundTo > 1) {
      t.round();
    }
    return t;
  }

  /**
   * The groups of least importance that make up {@code floor(ratio * filters)} filters, exactly
   * where each is one filter; where the next group is too heavy for what is missing, lighter ones
   * further on go. With rounding the threshold is the highest that removes not more than that.
   *
   * @return ascending filter indices by convolution
   * @throws SecateurException when so many cannot be removed
   */
  public Removal lowest(double ratio) {
    if (!(ratio > 0 && ratio < 1)) {
      throw new SecateurException("pruning ratio " + ratio + ": expected a number between 0 and 1");
    }
    int wanted = (int) Math.floor(ratio * groups.filters());
    if (!allows(ratio)) {
      throw new SecateurException(
          "pruning ratio "
              + ratio
              + " asks for "
              + wanted
              + " filters, but only "
              + first(order.length).filters
              + " can go when every layer keeps one"
              + (roundTo > 1 ? " and the others a multiple of " + roundTo : ""));
    }
    return lowestFilters(wanted);
  }

  /** The same with their number given, or as many as can go. */
  Removal lowestFilters(int wanted) {
    Mask mask;
    if (roundTo > 1) {
      mask = first(bisect(0, order.length, n -> first(n).filters > wanted) - 1);
    } else {
      mask = new Mask();
      for (int u : order) {
        if (mask.filters + groups.weight(u) <= wanted) {
          mask.prune(u);
        }
      }
    }
    return groups.filters(mask.pruned);
  }

  /**
   * The groups of {@link Threshold#SHARE} at a ratio, but for those that constraints keep, rounded.
   *
   * @return ascending filter indices by convolution; may be none
   */
  public Removal nearest(double ratio) {
    double[] ascending = Arrays.stream(importance).sorted().toArray();
    int nearest = 0;
    double distance = Double.POSITIVE_INFINITY;
    for (int i = 0; i < ascending.length; i++) {
      boolean last = i + 1 == ascending.length || ascending[i] < ascending[i + 1];
      double off = Math.abs(ratio - (i + 1.0) / ascending.length);
      if (last && off < distance) {
        nearest = i;
        distance = off;
      }
    }
    int[] going = new int[width.length];
    for (int u : order) {
      if (importance[u] <= ascending[nearest]) {
        groups.layersOf(u).forEach(l -> going[l] += 1);
      }
    }
    Mask mask = new Mask();
    for (int u : order) {
      boolean whole = groups.layersOf(u).stream().anyMatch(l -> going[l] == byLayer[l].length);
      if (importance[u] <= ascending[nearest] && !whole) {
        mask.prune(u);
      }
    }
    if (roundTo > 1) {
      mask.round();
    }
    return groups.filters(mask.pruned);
  }

  /** Whether so many filters can go. */
  public boolean allows(double ratio) {
    return first(order.length).filters >= (int) Math.floor(ratio * groups.filters());
  }

  /**
   * As few of the lowest groups as make the network small enough, but all that minimum ratios ask
   * for.
   *
   * @return empty where even {@link #all} does not
   */
  public Optional<Removal> until(Predicate<Graph> enough) {
    int n =
        bisect(
            required,
            order.length,
            k -> enough.test(Surgery.shrink(groups.graph(), groups.filters(first(k).pruned))));
    return n > order.length ? Optional.empty() : Optional.of(groups.filters(first(n).pruned));
  }

  /** All that may go. */
  public Removal all() {
    return groups.filters(first(order.length).pruned);
  }

  /** What minimum ratios ask for, not rounded. */
  public Mask requiredMask() {
    Mask t = new Mask();
    for (int i = 0; i < required; i++) {
      t.prune(order[i]);
    }
    return t;
  }

  /** Whether a group's layers are left with multiples when they lose so many groups like it. */
  public boolean leavesMultiples(int group, int many) {
    Map<Integer, Integer> filters = new HashMap<>();
    for (int f = groups.from(group); f < groups.from(group + 1); f++) {
      filters.merge(groups.layer(f), 1, Integer::sum);
    }
    return filters.entrySet().stream()
        .allMatch(e -> (width[e.getKey()] - many * e.getValue()) % multiple[e.getKey()] == 0);
  }

  /** Filters that minimum ratios ask for. */
  public int required() {
    return first(required).filters;
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
