package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.nn.ParameterCut;
import dev.secateur.tensor.HostTensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Removes filters for real, and with them every channel that is coupled with theirs ({@link
 * DependencyGraph}): one pass finds the channels that each node keeps, then each parameter is cut
 * along its axes, the outputs by its own node's channels, the inputs by its input's; a linear layer
 * behind a flatten loses H·W columns a channel, a depthwise convolution its groups.
 *
 * <p>The result computes what the original computes when the weights and biases of those filters
 * are zero, and those of the norms behind them, and when what reads the channels multiplies them by
 * zero. The last follows from the first where all functions between map 0 to 0, or the channel is
 * multiplied by one that is zero (squeeze and excitation). Where not (a sigmoid, a border of ones),
 * the constant that the dead channel would still feed to its readers goes with it.
 */
public final class Surgery {
  private Surgery() {}

  /**
   * In Java memory.
   *
   * @throws IllegalArgumentException for channels that must stay, an index out of range or a layer
   *     that would lose all filters
   */
  public static Model remove(Model model, Removal removal) {
    Cut cut = new Cut(model.graph(), removal);
    Map<String, ParameterCut> keep = cut.parameters();
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    parameters.replaceAll((name, t) -> keep.containsKey(name) ? keep.get(name).of(t) : t);
    return new Model(cut.smaller(), parameters, model.metadata());
  }

  /**
   * On the device, momentum included; see {@link Network#cut}. The original stays open.
   *
   * @param removal as in {@link #remove(Model, Removal)}, which gives the same parameters
   */
  public static Network remove(Network net, Removal removal) {
    Cut cut = new Cut(net.graph(), removal);
    return net.cut(cut.smaller(), cut.parameters());
  }

  /** The structure alone after {@link #remove}. */
  public static Graph shrink(Graph graph, Removal removal) {
    return new Cut(graph, removal).smaller();
  }

  /** The channels that every node keeps, and what follows. */
  private static final class Cut {
    private final Graph graph;
    private final DependencyGraph coupling;
    private final Map<String, int[]> kept = new HashMap<>();

    Cut(Graph graph, Removal removal) {
      this.graph = graph;
      this.coupling = DependencyGraph.of(graph);
      boolean[] gone = new boolean[coupling.channels()];
      removal
          .filters()
          .forEach(
              (name, filters) -> {
                int node = coupling.node(graph.node(name).name());
                int before = -1;
                for (int f : filters) {
                  if (f <= before || f >= coupling.width(node)) {
                    throw new IllegalArgumentException(name + " has no filter " + f + " to remove");
                  }
                  if (coupling.fixed(coupling.first(node) + f)) {
                    throw new IllegalArgumentException(
                        name + "'s filter " + f + " is not prunable");
                  }
                  gone[coupling.groupOf(coupling.first(node) + f)] = true;
                  before = f;
                }
              });
      List<int[]> keep = coupling.kept(gone);
      for (int n = 0; n < keep.size(); n++) {
        Node node = graph.nodes().get(n);
        if (keep.get(n).length == 0) {
          throw new IllegalArgumentException(node.name() + " would lose all of its channels");
        }
        kept.put(node.name(), keep.get(n));
      }
    }

    private int[] input(Node n) {
      return kept.get(n.inputs().get(0));
    }

    /** Channels of the first group, which stand for those of each. */
    private static int[] ofOneGroup(int[] channels, int width, int groups) {
      return groups == 1
          ? channels
          : Arrays.stream(channels).filter(c -> c < width / groups).toArray();
    }

    /** What is kept of every parameter of a layer; names that a layer may not have among them. */
    Map<String, ParameterCut> parameters() {
      Map<String, ParameterCut> out = new HashMap<>();
      graph.nodes().forEach(n -> parameters(n, out));
      return out;
    }

    private void parameters(Node n, Map<String, ParameterCut> out) {
      String name = n.name();
      int[] own = kept.get(name);
      int groups = DependencyGraph.groups(n.op());
      Optional<int[]> second = Optional.empty();
      if (n.op() instanceof Op.Convolution || n.op() instanceof Op.Linear) {
        if (!DependencyGraph.depthwise(graph, n)) {
          int in = graph.shape(n.inputs().get(0)).size(1);
          second = Optional.of(ofOneGroup(input(n), in, groups));
        }
        out.put(name + ".weight", new ParameterCut(own, second));
      } else if (n.op() instanceof Op.TransposedConvolution t) {
        if (!DependencyGraph.depthwise(graph, n)) {
          second = Optional.of(ofOneGroup(own, t.outChannels(), groups));
        }
        out.put(name + ".weight", new ParameterCut(input(n), second));
      } else if (n.op() instanceof Op.BatchNorm || n.op() instanceof Op.LayerNorm) {
        for (String part : List.of(".weight", ".running_mean", ".running_var")) {
          out.put(name + part, ParameterCut.first(own));
        }
      } else {
        return;
      }
      out.put(name + ".bias", ParameterCut.first(own));
    }

    Graph smaller() {
      return new Graph(
          graph.nodes().stream().map(n -> new Node(n.name(), smaller(n), n.inputs())).toList());
    }

    private Op smaller(Node n) {
      int width = kept.get(n.name()).length;
      if (n.op() instanceof Op.SelectChannels s) {
        int[] x = input(n);
        return new Op.SelectChannels(
            IntStream.of(kept.get(n.name()))
                .mapToObj(j -> Arrays.binarySearch(x, s.channels().get(j)))
                .toList());
      }
      if (n.op() instanceof Op.Shortcut s) {
        int end = s.before() + graph.shape(n.inputs().get(0)).size(1);
        int before = (int) IntStream.of(kept.get(n.name())).filter(c -> c < s.before()).count();
        int after = (int) IntStream.of(kept.get(n.name())).filter(c -> c >= end).count();
        return new Op.Shortcut(s.stride(), before, after);
      }
      return n.inputs().isEmpty()
          ? n.op()
          : n.op().resized(graph.shape(n.inputs().get(0)).size(1), input(n).length, width);
    }
  }
}
