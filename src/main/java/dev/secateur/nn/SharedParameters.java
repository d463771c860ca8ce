package dev.secateur.nn;

import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/** Finds layers of a file that have one set of parameters. */
public final class SharedParameters {
  private SharedParameters() {}

  /**
   * A graph in which layers share their parameters where they are equal, bit for bit, and used
   * alike.
   *
   * @param parameters of every node by itself
   * @param candidates names of nodes whose parameters came from one place in the file; of nodes
   *     that are not in the graph too
   */
  public static Graph in(
      Graph graph, Map<String, HostTensor> parameters, Collection<List<String>> candidates) {
    Graph out = graph;
    for (List<String> names : candidates) {
      List<Node> nodes = graph.nodes().stream().filter(n -> names.contains(n.name())).toList();
      for (int i = 1; i < nodes.size(); i++) {
        for (int j = 0; j < i; j++) {
          Node other = out.node(nodes.get(j).name());
          if (alike(graph, other, nodes.get(i), parameters)) {
            out = with(out, nodes.get(i), other.owner());
            break;
          }
        }
      }
    }
    return out;
  }

  private static Graph with(Graph graph, Node n, String owner) {
    List<Node> nodes = new ArrayList<>(graph.nodes());
    nodes.replaceAll(
        k -> k.name().equals(n.name()) ? new Node(k.name(), k.op(), k.inputs(), owner) : k);
    return new Graph(nodes);
  }

  private static boolean alike(Graph graph, Node a, Node b, Map<String, HostTensor> parameters) {
    Map<String, Shape> parts = parts(graph, a);
    return Graph.alike(graph, a, b)
        && !parts.isEmpty()
        && parts.equals(parts(graph, b))
        && parts.keySet().stream()
            .allMatch(
                p ->
                    Arrays.equals(
                        parameters.get(a.name() + "." + p).data(),
                        parameters.get(b.name() + "." + p).data()));
  }

  private static Map<String, Shape> parts(Graph graph, Node n) {
    long in = n.inputs().isEmpty() ? 0 : graph.shape(n.inputs().get(0)).dim(1);
    return n.op().parameters(in, graph.shape(n.name()).dim(1));
  }
}
