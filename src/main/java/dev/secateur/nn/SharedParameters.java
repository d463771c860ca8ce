package dev.secateur.nn;

import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
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
    Map<String, String> owners = new HashMap<>();
    for (List<String> names : candidates) {
      List<Node> nodes = graph.nodes().stream().filter(n -> names.contains(n.name())).toList();
      for (int i = 1; i < nodes.size(); i++) {
        Node n = nodes.get(i);
        nodes.subList(0, i).stream()
            .filter(other -> alike(graph, other, n, parameters))
            .findFirst()
            .ifPresent(
                other -> owners.put(n.name(), owners.getOrDefault(other.name(), other.owner())));
      }
    }
    if (owners.isEmpty()) {
      return graph;
    }
    return new Graph(
        graph.nodes().stream()
            .map(
                n ->
                    new Node(
                        n.name(), n.op(), n.inputs(), owners.getOrDefault(n.name(), n.owner())))
            .toList());
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
