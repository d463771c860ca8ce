package dev.secateur.nn;

import dev.secateur.nn.op.ChannelFlow;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** Where channels go in a node that does not mix them. */
public final class ChannelRoutes implements ChannelFlow {
  private final Graph graph;
  private final Node node;
  private final int[] first;
  private final List<List<Integer>> to = new ArrayList<>();

  private ChannelRoutes(Graph graph, Node node) {
    this.graph = graph;
    this.node = node;
    first = new int[node.inputs().size() + 1];
    for (int i = 0; i < inputs(); i++) {
      first[i + 1] = first[i] + width(i);
    }
    for (int c = 0; c < output(); c++) {
      to.add(new ArrayList<>());
    }
    node.op().flow(this);
  }

  public static ChannelRoutes of(Graph graph, Node node) {
    return new ChannelRoutes(graph, node);
  }

  /**
   * The channels of the node's output that come of a channel of one that it reads, each once; in a
   * node that counts all channels (layer norm, softmax) its own.
   *
   * @param from the name of the node that is read, once or more
   */
  public Iterable<Integer> from(String from, int channel) {
    TreeSet<Integer> out = new TreeSet<>();
    for (int i = 0; i < inputs(); i++) {
      if (node.inputs().get(i).equals(from)) {
        out.addAll(to.get(first[i] + channel));
      }
    }
    return out;
  }

  @Override
  public int inputs() {
    return node.inputs().size();
  }

  @Override
  public int input(int i) {
    return first[i];
  }

  @Override
  public int width(int i) {
    return graph.shape(node.inputs().get(i)).size(1);
  }

  @Override
  public int output() {
    return first[inputs()];
  }

  @Override
  public int width() {
    return graph.shape(node.name()).size(1);
  }

  @Override
  public void tie(int a, int b) {
    if (Math.min(a, b) < output() && Math.max(a, b) >= output()) {
      to.get(Math.min(a, b)).add(Math.max(a, b) - output());
    }
  }

  @Override
  public void fix() {
    pass();
  }
}
