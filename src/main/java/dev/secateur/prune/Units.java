package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * What can be pruned: units, each one or more filters whose channels hang together ({@link
 * Coupling}), so that a unit goes or stays as a whole. Units are in the order of their first
 * filter, by convolution in the graph's order, then by filter.
 *
 * <p>A unit has at least one filter of a convolution, plain or transposed; classes of linear
 * layers' outputs alone are left out, as nothing scores those. A linear layer's output that hangs
 * together with filters goes with them.
 */
public final class Units {
  private final Graph graph;
  private final Scope scope;
  private final List<String> layers;
  private final Coupling coupling;

  /** Filters of unit u are at [starts[u], starts[u + 1]): layer and index within it. */
  private final int[] starts;

  private final int[] layerOf;
  private final int[] filterOf;

  /** Nodes that unit u touches are at [touches[u], touches[u + 1]): node, channels of it. */
  private final int[] touches;

  private final int[] nodeOf;
  private final int[] countOf;

  private Units(Graph graph, Scope scope, Predicate<String> keep) {
    this.graph = graph;
    this.scope = scope;
    this.coupling = Coupling.of(graph);
    List<Node> nodes = graph.nodes();
    boolean[] barred = new boolean[coupling.channels()];
    Set<String> paper =
        new HashSet<>(scope == Scope.PAPER ? Prunable.convolutions(graph) : List.of());
    int[] unitOf = new int[coupling.channels()];
    Arrays.fill(unitOf, -1);
    for (int n = 0; n < nodes.size(); n++) {
      String name = nodes.get(n).name();
      boolean bars = keep.test(name) || scope == Scope.PAPER && !paper.contains(name);
      for (int c = coupling.first(n); c < coupling.first(n) + coupling.width(n); c++) {
        int k = coupling.classOf(c);
        barred[k] |= coupling.fixed(c) || bars && filters(nodes.get(n).op());
      }
    }
    int units = 0;
    for (int n = 0; n < nodes.size(); n++) {
      if (filters(nodes.get(n).op())) {
        for (int c = coupling.first(n); c < coupling.first(n) + coupling.width(n); c++) {
          int k = coupling.classOf(c);
          if (!barred[k] && unitOf[k] < 0) {
            unitOf[k] = units++;
          }
        }
      }
    }
    starts = new int[units + 1];
    touches = new int[units + 1];
    int[] last = new int[units];
    Arrays.fill(last, -1);
    scan(
        unitOf,
        (n, f, u) -> {
          starts[u + 1] += filters(nodes.get(n).op()) ? 1 : 0;
          touches[u + 1] += last[u] == n ? 0 : 1;
          last[u] = n;
        });
    for (int u = 0; u < units; u++) {
      starts[u + 1] += starts[u];
      touches[u + 1] += touches[u];
    }
    layerOf = new int[starts[units]];
    filterOf = new int[starts[units]];
    nodeOf = new int[touches[units]];
    countOf = new int[touches[units]];
    layers = new ArrayList<>();
    int[] atFilter = starts.clone();
    int[] atTouch = touches.clone();
    Arrays.fill(last, -1);
    int[] layer = new int[nodes.size()];
    Arrays.fill(layer, -1);
    scan(
        unitOf,
        (n, f, u) -> {
          if (filters(nodes.get(n).op())) {
            if (layer[n] < 0) {
              layer[n] = layers.size();
              layers.add(nodes.get(n).name());
            }
            layerOf[atFilter[u]] = layer[n];
            filterOf[atFilter[u]++] = f;
          }
          if (last[u] != n) {
            nodeOf[atTouch[u]++] = n;
            last[u] = n;
          }
          countOf[atTouch[u] - 1]++;
        });
  }

  private interface Visitor {
    void visit(int node, int channel, int unit);
  }

  private void scan(int[] unitOf, Visitor visitor) {
    for (int n = 0; n < graph.nodes().size(); n++) {
      for (int f = 0; f < coupling.width(n); f++) {
        int u = unitOf[coupling.classOf(coupling.first(n) + f)];
        if (u >= 0) {
          visitor.visit(n, f, u);
        }
      }
    }
  }

  /** Every unit in scope. */
  public static Units of(Graph graph, Scope scope) {
    return new Units(graph, scope, name -> false);
  }

  /**
   * @param keep names of convolutions that must not lose a filter; what hangs together with theirs
   *     stays too
   */
  static Units of(Graph graph, Scope scope, Predicate<String> keep) {
    return new Units(graph, scope, keep);
  }

  /** Whether an operation's outputs are filters: those of convolutions. */
  static boolean filters(Op op) {
    return op instanceof Op.Convolution || op instanceof Op.TransposedConvolution;
  }

  /** Convolutions that have a filter in a unit, in the graph's order. */
  public List<String> layers() {
    return layers;
  }

  public int size() {
    return starts.length - 1;
  }

  /** Filters of all units. */
  public int filters() {
    return layerOf.length;
  }

  Graph graph() {
    return graph;
  }

  /** Filters of a unit are numbered from here up to, but not including, {@code from(unit + 1)}. */
  int from(int unit) {
    return starts[unit];
  }

  /** Place in {@link #layers} of a numbered filter. */
  int layer(int numbered) {
    return layerOf[numbered];
  }

  /** Filters of a unit. */
  int weight(int unit) {
    return starts[unit + 1] - starts[unit];
  }

  /**
   * Takes a unit's channels off {@code left}, the channels left by node; false, and nothing is
   * taken, where a node would have none left.
   */
  boolean take(int unit, int[] left) {
    for (int t = touches[unit]; t < touches[unit + 1]; t++) {
      if (left[nodeOf[t]] <= countOf[t]) {
        return false;
      }
    }
    for (int t = touches[unit]; t < touches[unit + 1]; t++) {
      left[nodeOf[t]] -= countOf[t];
    }
    return true;
  }

  /** Undoes {@link #take}. */
  void giveBack(int unit, int[] left) {
    for (int t = touches[unit]; t < touches[unit + 1]; t++) {
      left[nodeOf[t]] += countOf[t];
    }
  }

  /** Nodes that a unit has channels of. */
  int[] nodes(int unit) {
    return Arrays.copyOfRange(nodeOf, touches[unit], touches[unit + 1]);
  }

  /** How many of each of {@link #nodes}. */
  int[] channels(int unit) {
    return Arrays.copyOfRange(countOf, touches[unit], touches[unit + 1]);
  }

  /** Units that have as many channels of the same nodes, in the order of their first. */
  List<List<Integer>> columns() {
    Map<List<Integer>, List<Integer>> out = new LinkedHashMap<>();
    for (int u = 0; u < size(); u++) {
      List<Integer> key = new ArrayList<>();
      for (int t = touches[u]; t < touches[u + 1]; t++) {
        key.add(nodeOf[t]);
        key.add(countOf[t]);
      }
      out.computeIfAbsent(key, k -> new ArrayList<>()).add(u);
    }
    return List.copyOf(out.values());
  }

  /** Channels of every node. */
  int[] widths() {
    int[] out = new int[graph.nodes().size()];
    Arrays.setAll(out, coupling::width);
    return out;
  }

  /** One score a unit. */
  double[] scores(Scores scores, GroupScore kind) {
    List<float[]> byLayer = layers.stream().map(scores.byFilter()::get).toList();
    double[] out = new double[size()];
    for (int u = 0; u < out.length; u++) {
      float[] own = new float[weight(u)];
      for (int i = 0; i < own.length; i++) {
        int at = starts[u] + i;
        own[i] = byLayer.get(layerOf[at])[filterOf[at]];
      }
      out[u] = kind.of(own);
    }
    return out;
  }

  /** Ascending filter indices of some units, by convolution in the graph's order. */
  Map<String, int[]> filters(boolean[] chosen) {
    List<List<Integer>> byLayer = new ArrayList<>();
    layers.forEach(l -> byLayer.add(new ArrayList<>()));
    for (int u = 0; u < chosen.length; u++) {
      for (int at = starts[u]; chosen[u] && at < starts[u + 1]; at++) {
        byLayer.get(layerOf[at]).add(filterOf[at]);
      }
    }
    Map<String, int[]> out = new LinkedHashMap<>();
    for (int l = 0; l < layers.size(); l++) {
      if (!byLayer.get(l).isEmpty()) {
        out.put(layers.get(l), byLayer.get(l).stream().mapToInt(i -> i).sorted().toArray());
      }
    }
    return out;
  }

  /**
   * Units whose filters (and linear features) are of the same layers.
   *
   * @param layers in the graph's order; a linear layer among them loses outputs with the filters
   * @param units how many
   * @param filters all their filters and features
   * @param coupledBy the nodes that make the layers, or a layer's groups, hang together
   */
  public record Group(List<String> layers, int units, int filters, List<String> coupledBy) {}

  /** The units by the set of their layers, in the order of their first unit. */
  public List<Group> groups() {
    List<Node> nodes = graph.nodes();
    Map<List<Integer>, int[]> sizes = new LinkedHashMap<>();
    Map<List<Integer>, Set<Integer>> by = new HashMap<>();
    Map<String, List<Integer>> groupedReaders = new HashMap<>();
    for (int n = 0; n < nodes.size(); n++) {
      if (Coupling.groups(nodes.get(n).op()) > 1) {
        String read = nodes.get(n).inputs().get(0);
        groupedReaders.computeIfAbsent(read, r -> new ArrayList<>()).add(n);
      }
    }
    for (int u = 0; u < size(); u++) {
      List<Integer> members = new ArrayList<>();
      Set<Integer> couples = new LinkedHashSet<>();
      int channels = 0;
      for (int t = touches[u]; t < touches[u + 1]; t++) {
        if (Coupling.producer(nodes.get(nodeOf[t]))) {
          members.add(nodeOf[t]);
          channels += countOf[t];
        }
      }
      for (int t = touches[u]; t < touches[u + 1]; t++) {
        if (Coupling.couples(nodes.get(nodeOf[t]).op())) {
          couples.add(nodeOf[t]);
        }
        couples.addAll(groupedReaders.getOrDefault(nodes.get(nodeOf[t]).name(), List.of()));
      }
      int[] size = sizes.computeIfAbsent(members, m -> new int[2]);
      size[0]++;
      size[1] += channels;
      by.computeIfAbsent(members, m -> new LinkedHashSet<>()).addAll(couples);
    }
    List<Group> out = new ArrayList<>();
    sizes.forEach(
        (members, size) ->
            out.add(
                new Group(
                    members.stream().map(m -> nodes.get(m).name()).toList(),
                    size[0],
                    size[1],
                    by.get(members).stream().sorted().map(c -> nodes.get(c).name()).toList())));
    return out;
  }
}
