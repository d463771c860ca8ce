package dev.secateur.nn;

import dev.secateur.nn.op.Op;
import java.util.List;

/** One operation of a {@link Graph}: its unique name, what it computes, whose outputs it reads. */
public record Node(String name, Op op, List<String> inputs) {
  public Node {
    inputs = List.copyOf(inputs);
  }
}
