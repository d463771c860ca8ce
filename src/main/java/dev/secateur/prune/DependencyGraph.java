package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.ChannelFlow;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

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
 *   <li>Nodes that share their parameters are coupled on both sides, channel by channel.
 *   <li>An option-A shortcut couples its middle channels with its input's; its zero channels are
 *       free.
 * </ul>
 *
 * <p>Fixed, so never pruned: the network's input, and what nobody reads, which are its outputs;
 * what a layer norm or a softmax reads, since a zero channel counts in their sums; channels of any
 * other operation.
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
    c.nodes.forEach(c::coupleSharing);
    Set<String> read = new HashSet<>();
    c.nodes.forEach(n -> read.addAll(n.inputs()));
    for (int n = 0; n < c.nodes.size(); n++) {
      if (!read.contains(c.nodes.get(n).name())) {
        c.fix(n); // an output
      }
    }
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

  private void couple(int n, Node node) {
    List<Integer> inputs = node.inputs().stream().map(index::get).toList();
    node.op()
        .flow(
            new ChannelFlow() {
              @Override
              public int inputs() {
                return inputs.size();
              }

              @Override
              public int input(int i) {
                return first[inputs.get(i)];
              }

              @Override
              public int width(int i) {
                return DependencyGraph.this.width(inputs.get(i));
              }

              @Override
              public int output() {
                return first[n];
              }

              @Override
              public int width() {
                return DependencyGraph.this.width(n);
              }

              @Override
              public void tie(int a, int b) {
                union(a, b);
              }

              @Override
              public void fix() {
                DependencyGraph.this.fix(n);
                inputs.forEach(DependencyGraph.this::fix);
              }
            });
  }

  /** Channels on both sides of nodes that share their parameters are tied one by one. */
  private void coupleSharing(Node n) {
    Node other = graph.sharing(n).get(0);
    if (other != n) {
      tie(n.name(), other.name());
      for (int i = 0; i < n.inputs().size(); i++) {
        tie(n.inputs().get(i), other.inputs().get(i));
      }
    }
  }

  private void tie(String a, String b) {
    int i = index.get(a);
    int j = index.get(b);
    for (int k = 0; k < width(i); k++) {
      union(first[i] + k, first[j] + k);
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
