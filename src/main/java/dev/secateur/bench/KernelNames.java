package dev.secateur.bench;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import java.util.List;
import java.util.stream.Collectors;

/** What a step of a program computes, in a few words. */
final class KernelNames {
  private KernelNames() {}

  /** "conv 3x3/2 +bn +relu"; views of the result are left out. */
  static String of(Graph graph, List<Node> nodes) {
    return nodes.isEmpty()
        ? "copy"
        : nodes.stream()
            .filter(n -> n == nodes.get(0) || !graph.isView(n))
            .map(n -> n.op().label())
            .collect(Collectors.joining(" +"));
  }
}
