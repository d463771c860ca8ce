package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What hangs on a convolution's output channels.
 *
 * @param norms batch norms that hold one number a channel
 * @param readers convolutions (one group) and linear layers whose input channels they are
 */
record Reach(List<Node> norms, List<Node> readers) {

  /** Empty where the channels meet something that couples them with others (an add, a concat). */
  static Optional<Reach> of(Graph graph, Node convolution) {
    Reach r = new Reach(new ArrayList<>(), new ArrayList<>());
    return r.follow(graph, convolution) && !r.readers.isEmpty() ? Optional.of(r) : Optional.empty();
  }

  private boolean follow(Graph graph, Node from) {
    for (Node n : graph.consumers(from.name())) {
      Op op = n.op();
      if (op instanceof Op.Linear || op instanceof Op.Convolution c && c.spec().groups() == 1) {
        readers.add(n);
      } else if (op instanceof Op.BatchNorm
          || op instanceof Op.Activate
          || op instanceof Op.Pool
          || op instanceof Op.GlobalPool
          || op instanceof Op.Flatten
          || op instanceof Op.Identity) {
        if (op instanceof Op.BatchNorm) {
          norms.add(n);
        }
        if (!follow(graph, n)) {
          return false;
        }
      } else {
        return false;
      }
    }
    return from != graph.output();
  }
}
