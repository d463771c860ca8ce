package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Op;
import java.util.ArrayList;
import java.util.List;

/**
 * The convolutions that may lose filters, as the paper chooses them: in ResNets those inside blocks
 * whose channels are not added to a shortcut, in VGG all but the last.
 */
final class Prunable {
  private Prunable() {}

  /** Names in the graph's order. */
  static List<String> convolutions(Graph graph) {
    List<String> out = new ArrayList<>();
    boolean residual = graph.nodes().stream().anyMatch(n -> n.op() instanceof Add);
    String last = "";
    for (Node n : graph.nodes()) {
      if (n.op() instanceof Convolution c) {
        last = n.name();
        List<Node> readers = new ArrayList<>();
        boolean free = collect(graph, n, readers) && !readers.isEmpty();
        // in a residual network channels with several readers are a block's input, not its inside
        if (c.spec().groups() == 1 && free && (!residual || readers.size() == 1)) {
          out.add(n.name());
        }
      }
    }
    out.remove(last);
    return out;
  }

  /**
   * Convolutions (one group) and linear layers whose input channels these are; false where the
   * channels meet something else that could couple them with others (an add, a concat).
   */
  private static boolean collect(Graph graph, Node from, List<Node> readers) {
    for (Node n : graph.consumers(from.name())) {
      Op op = n.op();
      if (op.mixesChannels() && op.groups() == 1) {
        readers.add(n);
      } else if (op.passesChannels()) {
        if (!collect(graph, n, readers)) {
          return false;
        }
      } else {
        return false;
      }
    }
    return from != graph.output();
  }
}
