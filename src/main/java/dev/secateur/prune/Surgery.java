package dev.secateur.prune;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Removes filters for real, and with them every channel that hangs together with theirs ({@link
 * Coupling}): one pass finds the channels that each node keeps, then each parameter is cut along
 * its axes, the outputs by its own node's channels, the inputs by its input's; a linear layer
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
   * @param removed ascending filter indices by convolution; those that hang together with them need
   *     not be listed
   * @throws IllegalArgumentException for channels that must stay, an index out of range or a layer
   *     that would lose all filters
   */
  public static Model remove(Device device, Model model, Map<String, int[]> removed) {
    Graph graph = model.graph();
    Cut cut = new Cut(graph, removed);
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    for (Node n : graph.nodes()) {
      cut.parameters(n)
          .forEach((name, axes) -> parameters.computeIfPresent(name, (k, t) -> axes.of(device, t)));
    }
    return new Model(cut.smaller(), parameters, model.metadata());
  }

  /** The structure alone after {@link #remove}. */
  public static Graph shrink(Graph graph, Map<String, int[]> removed) {
    return new Cut(graph, removed).smaller();
  }

  /** What is kept of a parameter, by its first two axes. */
  private record Axes(int[] first, int[] second) {
    private static final int[] ALL = {};

    static Axes first(int[] keep) {
      return new Axes(keep, ALL);
    }

    HostTensor of(Device device, HostTensor t) {
      boolean cutsFirst = first.length < t.shape().size(0);
      boolean cutsSecond = second != ALL && second.length < t.shape().size(1);
      if (!cutsFirst && !cutsSecond) {
        return t;
      }
      try (Arena arena = device.newArena()) {
        Tensor x = arena.allocate(t.shape(), DType.F32, Layout.PLAIN);
        device.upload(t.data(), x);
        x = cutsFirst ? gather(device, arena, x, 0, first) : x;
        x = cutsSecond ? gather(device, arena, x, 1, second) : x;
        return new HostTensor(x.shape(), device.downloadFloats(x));
      }
    }

    private static Tensor gather(Device device, Arena arena, Tensor x, int axis, int[] keep) {
      Tensor indices = arena.allocate(Shape.of(keep.length), DType.I32, Layout.PLAIN);
      Tensor y = arena.allocate(x.shape().with(axis, keep.length), DType.F32, Layout.PLAIN);
      device.upload(keep, indices);
      device.moves().gather(x, axis, indices, y).launch();
      return y;
    }
  }

  /** The channels that every node keeps, and what follows. */
  private static final class Cut {
    private final Graph graph;
    private final Coupling coupling;
    private final Map<String, int[]> kept = new HashMap<>();

    Cut(Graph graph, Map<String, int[]> removed) {
      this.graph = graph;
      this.coupling = Coupling.of(graph);
      boolean[] gone = new boolean[coupling.channels()];
      removed.forEach(
          (name, filters) -> {
            int node = coupling.node(graph.node(name).name());
            int before = -1;
            for (int f : filters) {
              if (f <= before || f >= coupling.width(node)) {
                throw new IllegalArgumentException(name + " has no filter " + f + " to remove");
              }
              if (coupling.fixed(coupling.first(node) + f)) {
                throw new IllegalArgumentException(name + "'s filter " + f + " is not prunable");
              }
              gone[coupling.classOf(coupling.first(node) + f)] = true;
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

    Map<String, Axes> parameters(Node n) {
      Map<String, Axes> out = new LinkedHashMap<>();
      int[] own = kept.get(n.name());
      int groups = Coupling.groups(n.op());
      if (n.op() instanceof Op.Convolution || n.op() instanceof Op.Linear) {
        boolean depthwise = Coupling.depthwise(graph, n);
        int in = graph.shape(n.inputs().get(0)).size(1);
        int[] inputs = depthwise ? Axes.ALL : ofOneGroup(input(n), in, groups);
        out.put(n.name() + ".weight", new Axes(own, inputs));
      } else if (n.op() instanceof Op.TransposedConvolution t) {
        boolean depthwise = Coupling.depthwise(graph, n);
        int[] outputs = depthwise ? Axes.ALL : ofOneGroup(own, t.outChannels(), groups);
        out.put(n.name() + ".weight", new Axes(input(n), outputs));
      } else if (n.op() instanceof Op.BatchNorm || n.op() instanceof Op.LayerNorm) {
        for (String part : List.of(".weight", ".running_mean", ".running_var")) {
          out.put(n.name() + part, Axes.first(own));
        }
      }
      if (!out.isEmpty()) {
        out.put(n.name() + ".bias", Axes.first(own));
      }
      return out;
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
