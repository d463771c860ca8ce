package dev.secateur.nn;

import dev.secateur.device.Device;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Opaque;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An immutable network: nodes in topological order, the first an {@link Input}, the last one the
 * output (logits). Construction checks names and infers every shape.
 */
public final class Graph {
  private final List<Node> nodes;
  private final Map<String, Node> byName = new LinkedHashMap<>();
  private final Map<String, Shape> shapes;

  /** Nodes with parameters of the same names, by these. */
  private final Map<String, List<Node>> owners = new HashMap<>();

  /**
   * @throws IllegalArgumentException when a name repeats, an input is unknown, shapes do not fit or
   *     nodes share parameters and are not alike
   */
  public Graph(List<Node> nodes) {
    this.nodes = List.copyOf(nodes);
    for (Node n : this.nodes) {
      for (String in : n.inputs()) {
        if (!byName.containsKey(in)) {
          throw new IllegalArgumentException(
              n.name() + " reads " + in + ", which is not before it");
        }
      }
      if (byName.put(n.name(), n) != null) {
        throw new IllegalArgumentException("two nodes are named " + n.name());
      }
    }
    this.shapes = infer(this.nodes);
    for (Node n : this.nodes) {
      List<Node> same = owners.computeIfAbsent(n.owner(), o -> new ArrayList<>());
      same.add(n);
      if (!alike(this, same.get(0), n) || !shapes(same.get(0)).equals(shapes(n))) {
        throw new IllegalArgumentException(
            n.name() + " cannot share the parameters of " + same.get(0).name());
      }
    }
  }

  private Map<String, Shape> shapes(Node n) {
    return ParameterShapes.of(this, n);
  }

  /** Whether two nodes use parameters of equal shapes alike. */
  static boolean alike(Graph graph, Node a, Node b) {
    return a == b
        || a.op().getClass() == b.op().getClass()
            && a.op().groups() == b.op().groups()
            && a.inputs().size() == b.inputs().size()
            && graph.shape(a.inputs().get(0)).dim(1) == graph.shape(b.inputs().get(0)).dim(1)
            && graph.shape(a.name()).dim(1) == graph.shape(b.name()).dim(1);
  }

  private static Map<String, Shape> infer(List<Node> nodes) {
    Map<String, Shape> shapes = new HashMap<>();
    for (Node n : nodes) {
      List<Shape> in = n.inputs().stream().map(shapes::get).toList();
      try {
        shapes.put(n.name(), n.op().output(in));
      } catch (IllegalArgumentException | IndexOutOfBoundsException | ArithmeticException e) {
        throw new IllegalArgumentException(
            "node " + n.name() + " (" + n.op() + ") does not fit inputs " + in, e);
      }
    }
    return shapes;
  }

  public List<Node> nodes() {
    return nodes;
  }

  public Node node(String name) {
    Node n = byName.get(name);
    if (n == null) {
      throw new IllegalArgumentException("no node named " + name);
    }
    return n;
  }

  public Node input() {
    return nodes.get(0);
  }

  public Node output() {
    return nodes.get(nodes.size() - 1);
  }

  /** Shape of a node's output for one image: (1,C,H,W) or (1,features). */
  public Shape shape(String name) {
    return shapes.get(name);
  }

  /** Whether a parameter, NODE.PART, is of one of the nodes. */
  public boolean owns(String parameter) {
    return owners.containsKey(parameter.substring(0, parameter.lastIndexOf('.')));
  }

  /** Nodes that have the parameters of a node, in order: itself, and others that share them. */
  public List<Node> sharing(Node n) {
    return owners.get(n.owner());
  }

  /** Whether a node is the first that has its parameters; the only one, mostly. */
  public boolean first(Node n) {
    return sharing(n).get(0) == n;
  }

  /** Whether other nodes have a node's parameters too. */
  public boolean shares(Node n) {
    return sharing(n).size() > 1;
  }

  /** Nodes that read the output of {@code name}, in order. */
  public List<Node> consumers(String name) {
    List<Node> out = new ArrayList<>();
    for (Node n : nodes) {
      if (n.inputs().contains(name)) {
        out.add(n);
      }
    }
    return out;
  }

  /** Whether nodes that are no layers here are in front of some, so that it does not run here. */
  public boolean opaque() {
    return nodes.stream().anyMatch(n -> n.op() instanceof Opaque);
  }

  /** The type of a node's result: logits of a linear layer are not rounded. */
  DType typeOf(Node n, Device device) {
    return logits(n) ? DType.F32 : device.activationType();
  }

  /** Whether a node is a linear layer whose result is the network's. */
  boolean logits(Node n) {
    return n == output() && n.op() instanceof Linear;
  }

  /** Whether a node's output is its input's memory under another shape. */
  public boolean isView(Node n) {
    return !n.inputs().isEmpty() && n.op().isView(shape(n.inputs().get(0)));
  }
}
