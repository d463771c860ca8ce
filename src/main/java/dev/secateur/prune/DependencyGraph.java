package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which channels of a network are coupled, channel by channel: a union-find over all channels (or
 * features) of all nodes' outputs. A group can only stay or go as a whole.
 *
 * <ul>
 *   <li>Sums and products couple equal channels of both inputs and the output; a concatenation
 *       couples each part's channels with their place in the output; a selection of channels with
 *       the places they are selected to; a flatten couples the H·W features of a channel with it.
 *   <li>Norms, functions of one number, pooling, padding and resizing pass channels on.
 *   <li>Convolutions, transposed convolutions and linear layers begin new channels. With g groups,
 *       channel i of each group is coupled with channel i of every other, on both sides, so that
 *       all groups stay equally large; where each group reads a single channel (depthwise) outputs
 *       are coupled with that channel instead, and groups go.
 *   <li>An option-A shortcut couples its middle channels with its input's; its zero channels are
 *       free.
 * </ul>
 *
 * <p>Fixed, so never pruned: the network's input and output channels; what a layer norm or a
 * softmax reads, since a zero channel counts in their sums; channels of any other operation.
 */
final class DependencyGraph {
  private final Graph graph;
  private final List<Node> nodes;
  private final Map<String, Integer> index = new HashMap<>();

  /** Channels of node n are [first[n], first[n + 1]). */
  private final int[] first;

  private final int[] parent;
  private final boolean[] fixed;

  private DependencyGraph(Graph graph) {
    this.graph = graph;
    this.nodes = graph.nodes();
    first = new int[nodes.size() + 1];
    for (int n = 0; n < nodes.size(); n++) {
      index.put(nodes.get(n).name(), n);
      first[n + 1] = first[n] + graph.shape(nodes.get(n).name()).size(1);
    }
    parent = new int[first[nodes.size()]];
    Arrays.setAll(parent, i -> i);
    fixed = new boolean[parent.length];
  }

  /** The groups of a network; linear in its channels. */
  static DependencyGraph of(Graph graph) {
    DependencyGraph c = new DependencyGraph(graph);
    for (int n = 0; n < c.nodes.size(); n++) {
      c.couple(n, c.nodes.get(n));
    }
    c.fix(c.nodes.size() - 1);
    for (int i = 0; i < c.parent.length; i++) {
      c.parent[i] = c.find(i);
    }
    for (int i = 0; i < c.parent.length; i++) {
      c.fixed[c.parent[i]] |= c.fixed[i];
    }
    return c;
  }

  /** Place of a node in the graph. */
  int node(String name) {
    return index.get(name);
  }

  /** Number of the first channel of a node's output; the others follow. */
  int first(int node) {
    return first[node];
  }

  /** Channels (or features) of a node's output. */
  int width(int node) {
    return first[node + 1] - first[node];
  }

  /** All channels of all nodes. */
  int channels() {
    return parent.length;
  }

  /** The group of a channel, named by one of its channels. */
  int groupOf(int channel) {
    return parent[channel];
  }

  boolean fixed(int channel) {
    return fixed[parent[channel]];
  }

  /** Whether a node computes new channels from its inputs' (it has a weight with both axes). */
  static boolean producer(Node n) {
    return n.op() instanceof Op.Convolution
        || n.op() instanceof Op.TransposedConvolution
        || n.op() instanceof Op.Linear;
  }

  /** Groups of a convolution, plain or transposed; 1 for all else. */
  static int groups(Op op) {
    if (op instanceof Op.Convolution c) {
      return c.spec().groups();
    }
    return op instanceof Op.TransposedConvolution t ? t.spec().groups() : 1;
  }

  /** Whether each of several groups reads a single channel. */
  static boolean depthwise(Graph graph, Node n) {
    int groups = groups(n.op());
    return groups > 1 && groups == graph.shape(n.inputs().get(0)).dim(1);
  }

  /**
   * Whether the node makes channels are coupled that would not: of several layers, or of one
   * layer's groups.
   */
  static boolean couples(Op op) {
    return op instanceof Op.Add || op instanceof Op.Multiply || groups(op) > 1;
  }

  private void couple(int n, Node node) {
    Op op = node.op();
    int y = first[n];
    int[] x = new int[node.inputs().size()];
    int[] in = new int[x.length];
    for (int i = 0; i < x.length; i++) {
      int source = index.get(node.inputs().get(i));
      x[i] = first[source];
      in[i] = width(source);
    }
    if (op instanceof Op.Add
        || op instanceof Op.Multiply
        || op instanceof Op.BatchNorm
        || op instanceof Op.Activate
        || op instanceof Op.Elementwise
        || op instanceof Op.Pool
        || op instanceof Op.GlobalPool
        || op instanceof Op.Pad
        || op instanceof Op.Resize
        || op instanceof Op.Identity) {
      for (int part : x) {
        join(part, y, width(n));
      }
    } else if (op instanceof Op.Concat) {
      for (int i = 0; i < x.length; i++) {
        join(x[i], y, in[i]);
        y += in[i];
      }
    } else if (op instanceof Op.SelectChannels s) {
      for (int j = 0; j < s.channels().size(); j++) {
        union(x[0] + s.channels().get(j), y + j);
      }
    } else if (op instanceof Op.Shortcut s) {
      join(x[0], y + s.before(), in[0]);
    } else if (op instanceof Op.Flatten) {
      int each = width(n) / in[0];
      for (int j = 0; j < width(n); j++) {
        union(x[0] + j / each, y + j);
      }
    } else if (producer(node)) {
      int g = groups(op);
      if (depthwise(graph, node)) {
        int each = width(n) / g;
        for (int j = 0; j < width(n); j++) {
          union(x[0] + j / each, y + j);
        }
      } else if (g > 1) {
        couplePeriod(x[0], in[0], in[0] / g);
        couplePeriod(y, width(n), width(n) / g);
      }
    } else {
      fix(n);
      node.inputs().forEach(i -> fix(index.get(i)));
    }
  }

  private void couplePeriod(int at, int width, int period) {
    for (int i = period; i < width; i++) {
      union(at + i - period, at + i);
    }
  }

  private void join(int a, int b, int width) {
    for (int i = 0; i < width; i++) {
      union(a + i, b + i);
    }
  }

  private void fix(int node) {
    Arrays.fill(fixed, first[node], first[node + 1], true);
  }

  private int find(int i) {
    while (parent[i] != i) {
      parent[i] = parent[parent[i]];
      i = parent[i];
    }
    return i;
  }

  /** The lower number becomes the class's name. */
  private void union(int a, int b) {
    int i = find(a);
    int j = find(b);
    parent[Math.max(i, j)] = Math.min(i, j);
  }

  /** The channels of each node, ascending, whose class is not {@code gone}. */
  List<int[]> kept(boolean[] gone) {
    List<int[]> out = new ArrayList<>();
    for (int n = 0; n < nodes.size(); n++) {
      int[] keep = new int[width(n)];
      int k = 0;
      for (int c = 0; c < keep.length; c++) {
        if (!gone[parent[first[n] + c]]) {
          keep[k++] = c;
        }
      }
      out.add(k == keep.length ? keep : Arrays.copyOf(keep, k));
    }
    return out;
  }
}
