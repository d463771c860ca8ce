package dev.secateur.nn;

import dev.secateur.nn.op.Op;
import java.util.List;

/**
 * One operation of a {@link Graph}: its unique name, what it computes, whose outputs it reads.
 *
 * @param owner what the names of its parameters begin with: its own name, or what other nodes have
 *     too, which then share them
 */
public record Node(String name, Op op, List<String> inputs, String owner) {
  public Node {
    inputs = List.copyOf(inputs);
  }

  /** With parameters of its own. */
  public Node(String name, Op op, List<String> inputs) {
    this(name, op, inputs, name);
  }

  /** The same place with another operation. */
  public Node with(Op other) {
    return new Node(name, other, inputs, owner);
  }

  /** The name of one of its parameters. */
  public String parameter(String part) {
    return owner + "." + part;
  }
}
