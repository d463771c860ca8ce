package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.prune.criterion.Importance;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * What can be pruned: channel groups, each one or more filters whose channels are coupled ({@link
 * DependencyGraph}), so that a group goes or stays as a whole. ChannelGroups are in the order of
 * their first filter, by convolution in the graph's order, then by filter.
 *
 * <p>A group has at least one filter of a convolution, plain or transposed, or with {@link
 * Scope#ALL} an output of a linear layer; both are called filters here. A linear layer's output
 * that is coupled with filters goes with them in any scope.
 */
public final class ChannelGroups {
  private final Graph graph;

  /** Whether outputs of linear layers are filters. */
  private final boolean linear;

  private final List<String> layers;
  private final DependencyGraph coupling;

  /** Filters of group u are at [starts[u], starts[u + 1]): layer and index within it. */
  private final int[] starts;

  private final int[] layerOf;
  private final int[] filterOf;

  /** Nodes that group u touches are at [touches[u], touches[u + 1]): node, channels of it. */
  private final int[] touches;

  private final int[] nodeOf;
  private final int[] countOf;

  private ChannelGroups(Graph graph, Scope scope, Predicate<String> keep) {
    this.graph = graph;
    this.linear = linear(scope);
    this.coupling = DependencyGraph.of(graph);
    List<Node> nodes = graph.nodes();
    boolean[] barred = new boolean[coupling.channels()];
    Set<String> paper =
        new HashSet<>(
            scope.filters().equals(Optional.of(Scope.PAPER))
                ? Prunable.convolutions(graph)
                : List.of());
    int[] groupOf = new int[coupling.channels()];
    Arrays.fill(groupOf, -1);
    for (int n = 0; n < nodes.size(); n++) {
      String name = nodes.get(n).name();
      boolean outside = !linear && !paper.contains(name);
      boolean bars = keep.test(name) || outside;
      for (int c = coupling.first(n); c < coupling.first(n) + coupling.width(n); c++) {
        int k = coupling.groupOf(c);
        barred[k] |= coupling.fixed(c) || bars && hasOutputs(nodes.get(n), linear);
      }
    }
    int groups = 0;
    for (int n = 0; n < nodes.size(); n++) {
      if (prunable(nodes.get(n))) {
        for (int c = coupling.first(n); c < coupling.first(n) + coupling.width(n); c++) {
          int k = coupling.groupOf(c);
          if (!barred[k] && groupOf[k] < 0) {
            groupOf[k] = groups++;
          }
        }
      }
    }
    starts = new int[groups + 1];
    touches = new int[groups + 1];
    int[] last = new int[groups];
    Arrays.fill(last, -1);
    scan(
        groupOf,
        (n, f, u) -> {
          starts[u + 1] += prunable(nodes.get(n)) ? 1 : 0;
          touches[u + 1] += last[u] == n ? 0 : 1;
          last[u] = n;
        });
    for (int u = 0; u < groups; u++) {
      starts[u + 1] += starts[u];
      touches[u + 1] += touches[u];
    }
    layerOf = new int[starts[groups]];
    filterOf = new int[starts[groups]];
    nodeOf = new int[touches[groups]];
    countOf = new int[touches[groups]];
    layers = new ArrayList<>();
    int[] atFilter = starts.clone();
    int[] atTouch = touches.clone();
    Arrays.fill(last, -1);
    int[] layer = new int[nodes.size()];
    Arrays.fill(layer, -1);
    scan(
        groupOf,
        (n, f, u) -> {
          if (prunable(nodes.get(n))) {
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

  /** Whether a node's outputs are filters in this scope. */
  private boolean prunable(Node n) {
    return prunable(graph, n, linear);
  }

  /** Filters that several nodes share are those of the first. */
  private static boolean prunable(Graph graph, Node n, boolean linear) {
    return graph.first(n) && hasOutputs(n, linear);
  }

  private static boolean hasOutputs(Node n, boolean linear) {
    return linear ? n.op().mixesChannels() : n.op().hasFilters();
  }

  private static boolean linear(Scope scope) {
    return scope.filters().equals(Optional.of(Scope.ALL));
  }

  private interface Visitor {
    void visit(int node, int channel, int group);
  }

  private void scan(int[] groupOf, Visitor visitor) {
    for (int n = 0; n < graph.nodes().size(); n++) {
      for (int f = 0; f < coupling.width(n); f++) {
        int u = groupOf[coupling.groupOf(coupling.first(n) + f)];
        if (u >= 0) {
          visitor.visit(n, f, u);
        }
      }
    }
  }

  /** Every group in scope. */
  public static ChannelGroups of(Graph graph, Scope scope) {
    return new ChannelGroups(graph, scope, name -> false);
  }

  /**
   * @param keep names of layers that must not lose a filter; what is coupled with theirs stays too
   */
  public static ChannelGroups of(Graph graph, Scope scope, Predicate<String> keep) {
    return new ChannelGroups(graph, scope, keep);
  }

  /** Names of all convolutions of a network, plain or transposed, in the graph's order. */
  public static List<String> convolutions(Graph graph) {
    return graph.nodes().stream().filter(n -> n.op().hasFilters()).map(Node::name).toList();
  }

  /** Names of all layers that may have filters in a scope, in the graph's order. */
  public static List<String> layers(Graph graph, Scope scope) {
    return graph.nodes().stream()
        .filter(n -> prunable(graph, n, linear(scope)))
        .map(Node::name)
        .toList();
  }

  /** Layers that have a filter in a group, in the graph's order. */
  public List<String> layers() {
    return layers;
  }

  public int size() {
    return starts.length - 1;
  }

  /** Filters of all groups. */
  public int filters() {
    return layerOf.length;
  }

  public Graph graph() {
    return graph;
  }

  /**
   * Filters of a group are numbered from here up to, but not including, {@code from(group + 1)}.
   */
  int from(int group) {
    return starts[group];
  }

  /** Place in {@link #layers} of a numbered filter. */
  int layer(int numbered) {
    return layerOf[numbered];
  }

  /** Filters of a group. */
  int weight(int group) {
    return starts[group + 1] - starts[group];
  }

  /**
   * Takes a group's channels off {@code remaining}, the channels remaining by node; false, and
   * nothing is taken, where a node would have none remaining.
   */
  public boolean prune(int group, int[] remaining) {
    for (int t = touches[group]; t < touches[group + 1]; t++) {
      if (remaining[nodeOf[t]] <= countOf[t]) {
        return false;
      }
    }
    for (int t = touches[group]; t < touches[group + 1]; t++) {
      remaining[nodeOf[t]] -= countOf[t];
    }
    return true;
  }

  /** Undoes {@link #prune}. */
  public void restore(int group, int[] remaining) {
    for (int t = touches[group]; t < touches[group + 1]; t++) {
      remaining[nodeOf[t]] += countOf[t];
    }
  }

  /** Nodes that a group has channels of. */
  public int[] nodes(int group) {
    return Arrays.copyOfRange(nodeOf, touches[group], touches[group + 1]);
  }

  /** How many of each of {@link #nodes}. */
  public int[] channels(int group) {
    return Arrays.copyOfRange(countOf, touches[group], touches[group + 1]);
  }

  /** ChannelGroups that have as many channels of the same nodes, in the order of their first. */
  public List<List<Integer>> interchangeable() {
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
  public int[] widths() {
    int[] out = new int[graph.nodes().size()];
    Arrays.setAll(out, coupling::width);
    return out;
  }

  /** By layer, which filters are a channel group of their own. */
  Map<String, boolean[]> uncoupled() {
    Map<String, boolean[]> out = new LinkedHashMap<>();
    layers.forEach(l -> out.put(l, new boolean[graph.shape(l).size(1)]));
    for (int u = 0; u < size(); u++) {
      boolean alone = !graph.shares(graph.node(layers.get(layerOf[starts[u]])));
      if (weight(u) == 1 && alone) {
        out.get(layers.get(layerOf[starts[u]]))[filterOf[starts[u]]] = true;
      }
    }
    return out;
  }

  /** Places in {@link #layers} of a group's filters, each once. */
  List<Integer> layersOf(int group) {
    return IntStream.range(starts[group], starts[group + 1])
        .mapToObj(at -> layerOf[at])
        .distinct()
        .toList();
  }

  /** The operations that write, pass on and read a group's channels, without their widths. */
  List<String> surroundings(int group) {
    Map<String, Long> out = new TreeMap<>();
    for (int t = touches[group]; t < touches[group + 1]; t++) {
      Node n = graph.nodes().get(nodeOf[t]);
      out.merge(n.op().resized(1, 1, 1).toString(), 1L, Long::sum);
      for (Node reader : graph.consumers(n.name())) {
        if (reader.op().mixesChannels()) {
          out.merge("into " + reader.op().resized(1, 1, 1), 1L, Long::sum);
        }
      }
    }
    return out.entrySet().stream().map(e -> e.getValue() + " " + e.getKey()).toList();
  }

  /** One number a group. */
  public double[] importance(Importance importance, GroupReduction reduction) {
    List<float[]> byLayer = layers.stream().map(importance.byFilter()::get).toList();
    double[] out = new double[size()];
    for (int u = 0; u < out.length; u++) {
      float[] own = new float[weight(u)];
      for (int i = 0; i < own.length; i++) {
        int at = starts[u] + i;
        own[i] = byLayer.get(layerOf[at])[filterOf[at]];
      }
      out[u] = reduction.of(own);
    }
    return out;
  }

  /** Those of some numbers, one a group, whose group loses a filter. */
  public DoubleStream of(Removal removal, double[] numbers) {
    return IntStream.range(0, size())
        .filter(
            u -> {
              int[] gone = removal.of(layers.get(layerOf[starts[u]]));
              return Arrays.binarySearch(gone, filterOf[starts[u]]) >= 0;
            })
        .mapToDouble(u -> numbers[u]);
  }

  /** All filters of all groups. */
  Removal all() {
    boolean[] every = new boolean[size()];
    Arrays.fill(every, true);
    return filters(every);
  }

  /** Ascending filter indices of some groups, by convolution in the graph's order. */
  Removal filters(boolean[] pruned) {
    List<List<Integer>> byLayer = new ArrayList<>();
    layers.forEach(l -> byLayer.add(new ArrayList<>()));
    for (int u = 0; u < pruned.length; u++) {
      for (int at = starts[u]; pruned[u] && at < starts[u + 1]; at++) {
        byLayer.get(layerOf[at]).add(filterOf[at]);
      }
    }
    Map<String, int[]> out = new LinkedHashMap<>();
    for (int l = 0; l < layers.size(); l++) {
      if (!byLayer.get(l).isEmpty()) {
        out.put(layers.get(l), byLayer.get(l).stream().mapToInt(i -> i).sorted().toArray());
      }
    }
    return new Removal(out);
  }

  /**
   * Channel groups whose filters (and linear features) are of the same layers.
   *
   * @param layers in the graph's order; a linear layer among them loses outputs with the filters
   * @param groups how many
   * @param filters all their filters and features
   * @param coupledBy the nodes that make the layers, or a layer's groups, are coupled
   */
  public record CoupledLayers(
      List<String> layers, int groups, int filters, List<String> coupledBy) {}

  /** The groups by the set of their layers, in the order of their first group. */
  public List<CoupledLayers> coupledLayers() {
    List<Node> nodes = graph.nodes();
    Map<List<Integer>, int[]> sizes = new LinkedHashMap<>();
    Map<List<Integer>, Set<Integer>> by = new HashMap<>();
    Map<String, List<Integer>> groupedReaders = new HashMap<>();
    for (int n = 0; n < nodes.size(); n++) {
      if (nodes.get(n).op().groups() > 1) {
        String read = nodes.get(n).inputs().get(0);
        groupedReaders.computeIfAbsent(read, r -> new ArrayList<>()).add(n);
      }
    }
    for (int u = 0; u < size(); u++) {
      List<Integer> members = new ArrayList<>();
      Set<Integer> couples = new LinkedHashSet<>();
      int channels = 0;
      for (int t = touches[u]; t < touches[u + 1]; t++) {
        if (nodes.get(nodeOf[t]).op().mixesChannels()) {
          members.add(nodeOf[t]);
          channels += countOf[t];
        }
      }
      for (int t = touches[u]; t < touches[u + 1]; t++) {
        if (nodes.get(nodeOf[t]).op().couples() || graph.shares(nodes.get(nodeOf[t]))) {
          couples.add(nodeOf[t]);
        }
        couples.addAll(groupedReaders.getOrDefault(nodes.get(nodeOf[t]).name(), List.of()));
      }
      int[] size = sizes.computeIfAbsent(members, m -> new int[2]);
      size[0]++;
      size[1] += channels;
      by.computeIfAbsent(members, m -> new LinkedHashSet<>()).addAll(couples);
    }
    List<CoupledLayers> out = new ArrayList<>();
    sizes.forEach(
        (members, size) ->
            out.add(
                new CoupledLayers(
                    members.stream().map(m -> nodes.get(m).name()).toList(),
                    size[0],
                    size[1],
                    by.get(members).stream().sorted().map(c -> nodes.get(c).name()).toList())));
    return out;
  }
}
