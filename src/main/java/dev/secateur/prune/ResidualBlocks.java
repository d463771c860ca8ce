package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.prune.criterion.Importance;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Residual blocks that a network can do without: y = x + f(x) becomes y = x, whatever the shapes
 * inside of f. Each is named by its addition. Blocks with a projection on the other way stay, as
 * nothing would fit without them.
 *
 * <p>As layers of one "filter", 0, they are in {@link Removal} and {@link Importance}.
 */
public final class ResidualBlocks {
  private final Graph graph;
  private final Map<String, Block> blocks = new LinkedHashMap<>();

  /**
   * A block.
   *
   * @param from the node whose output is x
   * @param branch the nodes of f, in the graph's order
   * @param filters its convolutions
   */
  record Block(String from, Set<String> branch, List<String> filters) {}

  private ResidualBlocks(Graph graph, Predicate<String> keep) {
    this.graph = graph;
    for (Node n : graph.nodes()) {
      if (n.op() instanceof Add && n != graph.output()) {
        block(n)
            .filter(b -> b.filters().stream().noneMatch(keep))
            .ifPresent(b -> blocks.put(n.name(), b));
      }
    }
  }

  /** All blocks of a network that can go. */
  public static ResidualBlocks of(Graph graph) {
    return of(graph, name -> false);
  }

  /**
   * @param keep names of convolutions whose block must stay
   */
  public static ResidualBlocks of(Graph graph, Predicate<String> keep) {
    return new ResidualBlocks(graph, keep);
  }

  /** The names of their additions, in the graph's order. */
  public List<String> names() {
    return List.copyOf(blocks.keySet());
  }

  /** The convolutions of a block, in the graph's order. */
  public List<String> filters(String block) {
    return blocks.get(block).filters();
  }

  private Optional<Block> block(Node sum) {
    for (int i = 0; i < 2; i++) {
      String from = sum.inputs().get(i);
      Optional<Set<String>> branch = branch(from, sum.inputs().get(1 - i), sum);
      if (branch.isPresent()) {
        List<String> filters =
            branch.get().stream().filter(b -> graph.node(b).op().hasFilters()).toList();
        if (!filters.isEmpty()) {
          return Optional.of(new Block(from, branch.get(), filters));
        }
      }
    }
    return Optional.empty();
  }

  /** What lies between, where nothing else leads in or out. */
  private Optional<Set<String>> branch(String from, String end, Node sum) {
    Set<String> inside = new HashSet<>();
    Deque<String> open = new ArrayDeque<>(List.of(end));
    while (!open.isEmpty()) {
      String at = open.pop();
      if (at.equals(from) || !inside.add(at)) {
        continue;
      }
      List<String> inputs = graph.node(at).inputs();
      if (inputs.isEmpty()) {
        return Optional.empty(); // the image, beside x
      }
      inputs.forEach(open::push);
    }
    boolean closed =
        inside.stream()
            .flatMap(n -> graph.consumers(n).stream())
            .allMatch(r -> r == sum || inside.contains(r.name()));
    if (!closed || inside.contains(from)) {
      return Optional.empty();
    }
    Set<String> ordered = new LinkedHashSet<>();
    graph.nodes().stream().map(Node::name).filter(inside::contains).forEach(ordered::add);
    return Optional.of(ordered);
  }

  /**
   * The network's structure without some of the blocks. An activation behind a sum goes too where x
   * has been through the same one.
   *
   * @throws IllegalArgumentException for a block that cannot go
   */
  Graph without(Collection<String> names) {
    Map<String, String> stands = new HashMap<>(); // what is read instead
    Set<String> gone = new HashSet<>();
    for (String name : names) {
      Block b = blocks.get(name);
      if (b == null) {
        throw new IllegalArgumentException(name + " is no residual block that can go");
      }
      gone.add(name);
      gone.addAll(b.branch());
      stands.put(name, b.from());
    }
    List<Node> out = new ArrayList<>();
    for (Node n : graph.nodes()) {
      if (gone.contains(n.name())) {
        continue;
      }
      List<String> inputs = n.inputs().stream().map(i -> source(i, stands)).toList();
      boolean twice =
          n != graph.output()
              && n.op() instanceof Activate
              && !inputs.equals(n.inputs())
              && graph.node(inputs.get(0)).op().equals(n.op());
      if (twice) {
        stands.put(n.name(), inputs.get(0));
      } else {
        out.add(new Node(n.name(), n.op(), inputs, n.owner()));
      }
    }
    return new Graph(out);
  }

  private static String source(String name, Map<String, String> stands) {
    String at = name;
    while (stands.containsKey(at)) {
      at = stands.get(at);
    }
    return at;
  }

  /**
   * What a criterion has to score for these blocks: their sums, or where it cannot, the
   * convolutions of their branches.
   */
  List<String> scored(boolean sums) {
    return sums
        ? names()
        : blocks.values().stream().flatMap(b -> b.filters().stream()).distinct().toList();
  }

  /**
   * Importance with one number a block: the mean, maximum or sum over the channels of its sum
   * (Jordao et al. 2020 take the mean), or over its convolutions' filters.
   *
   * @param scores of all that {@link #scored} names, and of other layers
   * @param layers what stays beside the blocks
   */
  Importance importance(
      Importance scores, List<String> layers, boolean sums, GroupReduction reduction) {
    Map<String, float[]> out = new LinkedHashMap<>();
    layers.forEach(l -> out.put(l, scores.byFilter().get(l)));
    blocks.forEach(
        (name, b) -> {
          List<float[]> of =
              (sums ? List.of(name) : b.filters()).stream().map(scores.byFilter()::get).toList();
          float[] all = new float[of.stream().mapToInt(f -> f.length).sum()];
          int at = 0;
          for (float[] f : of) {
            System.arraycopy(f, 0, all, at, f.length);
            at += f.length;
          }
          out.put(name, new float[] {(float) reduction.of(all)});
        });
    return new Importance(scores.criterion(), out);
  }

  /** The blocks of a removal. */
  public static List<String> in(Graph graph, Removal removal) {
    return removal.filters().keySet().stream()
        .filter(n -> graph.node(n).op() instanceof Add)
        .toList();
  }

  /** A removal of blocks alone. */
  static Removal removal(Collection<String> blocks) {
    Map<String, int[]> out = new LinkedHashMap<>();
    blocks.forEach(b -> out.put(b, new int[] {0}));
    return new Removal(out);
  }
}
