package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The convolutions that may lose filters, as the paper chooses them: in ResNets those inside blocks
 * whose channels are not added to a shortcut, in VGG all but the last.
 */
public final class Prunable {
  private Prunable() {}

  /** Names in the graph's order. */
  public static List<String> convolutions(Graph graph) {
    List<String> out = new ArrayList<>();
    boolean residual = graph.nodes().stream().anyMatch(n -> n.op() instanceof Op.Add);
    String last = "";
    for (Node n : graph.nodes()) {
      if (n.op() instanceof Op.Convolution c) {
        last = n.name();
        // in a residual network channels with several readers are a block's input, not its inside
        Optional<Reach> reach =
            Reach.of(graph, n).filter(r -> !residual || r.readers().size() == 1);
        if (c.spec().groups() == 1 && reach.isPresent()) {
          out.add(n.name());
        }
      }
    }
    out.remove(last);
    return out;
  }
}
