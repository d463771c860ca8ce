package dev.secateur.bench;

import dev.secateur.nn.Node;
import dev.secateur.nn.op.Flatten;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Op;
import java.util.List;
import java.util.stream.Collectors;

/** What a step of a program computes, in a few words. */
final class KernelNames {
  private KernelNames() {}

  /** "conv 3x3/2 +bn +relu"; views of the result are left out. */
  static String of(List<Node> nodes) {
    return nodes.isEmpty()
        ? "copy"
        : nodes.stream()
            .filter(n -> n == nodes.get(0) || !view(n.op()))
            .map(n -> n.op().label())
            .collect(Collectors.joining(" +"));
  }

  private static boolean view(Op op) {
    return op instanceof Identity || op instanceof Flatten;
  }
}
