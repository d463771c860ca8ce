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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Removes filters for real: the convolution's weight (axis K) and bias, its batch norms' vectors,
 * and the input channels (axis C) of whatever reads it; a linear layer behind a flatten loses H·W
 * columns a channel. The result computes what the original computes when those channels are zero
 * behind their batch norm (its weight and bias zero).
 */
public final class Surgery {
  private Surgery() {}

  /**
   * @param removed ascending filter indices by convolution
   * @throws IllegalArgumentException for a convolution that is not prunable, an index out of range
   *     or a layer that would lose all filters
   */
  public static Model remove(Device device, Model model, Map<String, int[]> removed) {
    Graph graph = model.graph();
    Map<String, HostTensor> parameters = new LinkedHashMap<>(model.parameters());
    Map<String, Integer> widths = new LinkedHashMap<>();
    for (Map.Entry<String, int[]> e : removed.entrySet()) {
      Node n = graph.node(e.getKey());
      if (!Prunable.convolutions(graph).contains(n.name())) {
        throw new IllegalArgumentException(n.name() + " is not prunable");
      }
      int width = ((Op.Convolution) n.op()).outChannels();
      int[] keep = complement(n.name(), width, e.getValue());
      widths.put(n.name(), keep.length);
      Reach reach = Reach.of(graph, n).orElseThrow();
      cut(device, parameters, n.name() + ".weight", 0, keep);
      cut(device, parameters, n.name() + ".bias", 0, keep);
      for (Node norm : reach.norms()) {
        for (String part : List.of(".weight", ".bias", ".running_mean", ".running_var")) {
          cut(device, parameters, norm.name() + part, 0, keep);
        }
      }
      for (Node reader : reach.readers()) {
        String weight = reader.name() + ".weight";
        int each = parameters.get(weight).shape().size(1) / width;
        int[] columns = new int[keep.length * each];
        for (int i = 0; i < columns.length; i++) {
          columns[i] = keep[i / each] * each + i % each;
        }
        cut(device, parameters, weight, 1, columns);
      }
    }
    List<Node> nodes = new ArrayList<>();
    for (Node n : graph.nodes()) {
      if (widths.containsKey(n.name())) {
        Op.Convolution c = (Op.Convolution) n.op();
        Op smaller =
            new Op.Convolution(widths.get(n.name()), c.kernelH(), c.kernelW(), c.spec(), c.bias());
        nodes.add(new Node(n.name(), smaller, n.inputs()));
      } else {
        nodes.add(n);
      }
    }
    return new Model(new Graph(nodes), parameters, model.metadata());
  }

  private static int[] complement(String name, int width, int[] removed) {
    boolean[] gone = new boolean[width];
    for (int i : removed) {
      if (i < 0 || i >= width || gone[i]) {
        throw new IllegalArgumentException(name + " has no filter " + i + " to remove");
      }
      gone[i] = true;
    }
    if (removed.length == width) {
      throw new IllegalArgumentException(name + " would lose all of its filters");
    }
    int[] keep = new int[width - removed.length];
    int at = 0;
    for (int i = 0; i < width; i++) {
      if (!gone[i]) {
        keep[at++] = i;
      }
    }
    return keep;
  }

  private static void cut(
      Device device, Map<String, HostTensor> parameters, String name, int axis, int[] keep) {
    HostTensor t = parameters.get(name);
    if (t == null) {
      return; // a convolution without bias
    }
    if (Arrays.stream(keep).anyMatch(i -> i < 0 || i >= t.shape().dim(axis))) {
      throw new IllegalArgumentException(
          name + " of shape " + t.shape() + " has not all of the parts to keep");
    }
    try (Arena arena = device.newArena()) {
      Tensor x = arena.allocate(t.shape(), DType.F32, Layout.PLAIN);
      Tensor indices = arena.allocate(Shape.of(keep.length), DType.I32, Layout.PLAIN);
      Shape smaller = t.shape().with(axis, keep.length);
      Tensor y = arena.allocate(smaller, DType.F32, Layout.PLAIN);
      device.upload(t.data(), x);
      device.upload(keep, indices);
      device.gather(x, axis, indices, y).launch();
      parameters.put(name, new HostTensor(smaller, device.downloadFloats(y)));
    }
  }
}
