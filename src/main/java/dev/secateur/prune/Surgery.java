package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.KeptChannels;
import dev.secateur.nn.op.ParameterCut;
import dev.secateur.tensor.HostTensor;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Removes filters for real, and with them every channel that is coupled with theirs ({@link
 * DependencyGraph}): one pass finds the channels that each node keeps, then each parameter is cut
 * along its axes, the outputs by its own node's channels, the inputs by its input's; a linear layer
 * behind a flatten loses H·W columns a channel, a depthwise convolution its groups. Residual blocks
 * go first, whole ({@link ResidualBlocks}).
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
    Graph smaller = cut.smaller();
    Map<String, ParameterCut> keep = cut.parameters();
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    parameters.keySet().removeIf(name -> !smaller.owns(name));
    parameters.replaceAll((name, t) -> keep.containsKey(name) ? keep.get(name).of(t) : t);
    return new Model(smaller, parameters, model.metadata());
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

  /** What {@link #remove} keeps of every parameter; names that a layer may not have among them. */
  static Map<String, ParameterCut> cuts(Graph graph, Removal removal) {
    return new Cut(graph, removal).parameters();
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

    Cut(Graph whole, Removal removal) {
      List<String> blocks = ResidualBlocks.in(whole, removal);
      this.graph = blocks.isEmpty() ? whole : ResidualBlocks.of(whole).without(blocks);
      this.coupling = DependencyGraph.of(graph);
      boolean[] gone = new boolean[coupling.channels()];
      removal
          .filters()
          .forEach(
              (name, filters) -> {
                if (blocks.contains(name)) {
                  return;
                }
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

    private KeptChannels around(Node n) {
      return new KeptChannels() {
        @Override
        public int inputs() {
          return n.inputs().size();
        }

        @Override
        public int before(int i) {
          return graph.shape(n.inputs().get(i)).size(1);
        }

        @Override
        public int[] in(int i) {
          return kept.get(n.inputs().get(i));
        }

        @Override
        public int[] out() {
          return kept.get(n.name());
        }
      };
    }

    /** What is kept of every parameter of a layer; names that a layer may not have among them. */
    Map<String, ParameterCut> parameters() {
      Map<String, ParameterCut> out = new HashMap<>();
      for (Node n : graph.nodes()) {
        n.op().cuts(around(n)).forEach((part, cut) -> out.put(n.parameter(part), cut));
      }
      return out;
    }

    Graph smaller() {
      return new Graph(graph.nodes().stream().map(n -> n.with(n.op().kept(around(n)))).toList());
    }
  }
}
