package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.device.ElementwiseSpec;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.Add;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.Elementwise;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Which nodes an inference program computes in one kernel: convolutions with what follows them. */
final class Fusion {
  private final Graph graph;
  private final Set<String> hooked;

  /** Fused convolutions and batch norms, by the name of the last node that they absorb. */
  private final Map<String, Fused> fusedAt = new HashMap<>();

  private final Set<String> absorbed = new HashSet<>();

  /** A convolution or batch norm with what follows it. */
  record Fused(
      List<Node> nodes,
      Optional<Node> norm,
      Optional<String> residual,
      Activation activation,
      Optional<ElementwiseSpec> function) {
    Node first() {
      return nodes.get(0);
    }
  }

  /**
   * @param hooked nodes whose own output is needed
   */
  Fusion(Graph graph, Set<String> hooked) {
    this.graph = graph;
    this.hooked = hooked;
    for (Node n : graph.nodes()) {
      boolean conv = n.op() instanceof Convolution;
      if (absorbed.contains(n.name()) || !(conv || n.op() instanceof BatchNorm)) {
        continue;
      }
      List<Node> chain = new ArrayList<>(List.of(n));
      Optional<Node> norm = Optional.empty();
      Optional<String> residual = Optional.empty();
      Activation activation = Activation.NONE;
      Optional<ElementwiseSpec> function = Optional.empty();
      Optional<Node> next = onlyConsumer(n);
      if (conv && next.isPresent() && next.get().op() instanceof BatchNorm) {
        norm = next;
        chain.add(next.get());
        next = onlyConsumer(next.get());
      }
      if (next.isPresent()
          && next.get().op() instanceof Add
          && !absorbed.contains(next.get().name())) {
        String end = chain.get(chain.size() - 1).name();
        List<String> addends = next.get().inputs();
        if (!addends.get(0).equals(addends.get(1))) {
          residual = Optional.of(addends.get(addends.get(0).equals(end) ? 1 : 0));
          chain.add(next.get());
          next = onlyConsumer(next.get());
        } else {
          next = Optional.empty();
        }
      }
      if (next.isPresent() && next.get().op() instanceof Activate a) {
        activation = a.activation();
        chain.add(next.get());
      } else if (conv && next.isPresent() && next.get().op() instanceof Elementwise e) {
        function = Optional.of(e.spec());
        chain.add(next.get());
      }
      chain.forEach(c -> absorbed.add(c.name()));
      fusedAt.put(
          chain.get(chain.size() - 1).name(),
          new Fused(chain, norm, residual, activation, function));
    }
  }

  /** What may be fused behind a node: its reader, if there is one only and no hook between. */
  private Optional<Node> onlyConsumer(Node n) {
    List<Node> c = graph.consumers(n.name());
    boolean alone = c.size() == 1 && n != graph.output() && !hooked.contains(n.name());
    return alone ? Optional.of(c.get(0)) : Optional.empty();
  }

  /** What is computed together with a node that is the last of it. */
  Optional<Fused> endingAt(Node n) {
    return Optional.ofNullable(fusedAt.get(n.name()));
  }

  /** Whether a node's result is there after the program has run: it is not inside of a kernel. */
  boolean visible(Node n) {
    return !absorbed.contains(n.name()) || fusedAt.containsKey(n.name());
  }
}
