package dev.secateur.io.onnx;

import dev.secateur.nn.Graph;
import dev.secateur.nn.Node;
import dev.secateur.nn.SharedParameters;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.nn.op.Convolution;
import dev.secateur.nn.op.GroupNorm;
import dev.secateur.nn.op.Identity;
import dev.secateur.nn.op.Input;
import dev.secateur.nn.op.LayerNorm;
import dev.secateur.nn.op.Linear;
import dev.secateur.nn.op.Multiply;
import dev.secateur.nn.op.Op;
import dev.secateur.tensor.HostTensor;
import dev.secateur.tensor.Shape;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** A graph that grows node by node, with its parameters. */
final class NetworkBuilder {
  private static final long LARGEST = Integer.MAX_VALUE;

  private final Map<String, Node> nodes = new LinkedHashMap<>();
  private final List<String> order = new ArrayList<>();
  private final Map<String, Shape> shapes = new LinkedHashMap<>();
  private final Map<String, HostTensor> parameters = new LinkedHashMap<>();

  /** Nodes by the tensors of the file that their parameters were made of. */
  private final Map<List<String>, List<String>> origins = new LinkedHashMap<>();

  /** Channel-wise scales and shifts that stand as batch norms, by node. */
  private final Map<String, Value.Affine> affines = new LinkedHashMap<>();

  /**
   * Appends a node.
   *
   * @param wanted its name, changed where it is taken
   * @return the name that it has
   */
  String add(String wanted, Op op, List<String> inputs) {
    Shape shape = op.output(inputs.stream().map(this::shape).toList());
    if (shape.elements() > LARGEST) {
      throw new Translator.Broken("its output " + shape + " is too large");
    }
    String name = free(wanted);
    nodes.put(name, new Node(name, op, inputs));
    order.add(name);
    shapes.put(name, shape);
    return name;
  }

  private String free(String wanted) {
    String base = wanted.isBlank() ? "node" : wanted;
    boolean taken = nodes.containsKey(base) || base.equals("input") && !nodes.isEmpty();
    for (int i = 2; taken; i++) {
      String next = wanted + "." + i;
      if (!nodes.containsKey(next)) {
        return next;
      }
    }
    return base;
  }

  boolean has(String node) {
    return nodes.containsKey(node);
  }

  Shape shape(String node) {
    return shapes.get(node);
  }

  Op op(String node) {
    return nodes.get(node).op();
  }

  String input(String node) {
    return nodes.get(node).inputs().get(0);
  }

  List<String> inputs(String node) {
    return nodes.get(node).inputs();
  }

  void parameter(String node, String part, HostTensor t) {
    parameters.put(node + "." + part, t);
  }

  void parameter(String node, String part, float[] v) {
    parameter(node, part, new HostTensor(Shape.of(v.length), v));
  }

  /** Gives a linear layer without bias one. */
  void bias(String node, float[] bias) {
    replace(node, new Linear(bias.length, true));
    parameter(node, "bias", bias);
  }

  /** The channel-wise function that a batch norm made by {@link #affine} stands for. */
  Optional<Value.Affine> affine(String node) {
    return Optional.ofNullable(affines.get(node));
  }

  /** Replaces what a node computes; its output keeps its shape. */
  private void replace(String node, Op op) {
    nodes.put(node, nodes.get(node).with(op));
  }

  /**
   * Puts y = scale x + shift behind a node.
   *
   * @param sole whether nothing else reads the node: then its own parameters take it in, if it has
   *     any that can
   * @return the node whose output is y
   */
  String affine(String node, Value.Affine a, boolean sole) {
    if (a.is(1, 0)) {
      return node;
    }
    Op op = op(node);
    Optional<String> written = hardFunction(node, a);
    if (written.isPresent()) {
      return written.get();
    }
    if (sole && op instanceof Input) {
      boolean zero = false;
      for (double s : a.scale()) {
        zero |= s == 0;
      }
      if (!zero) {
        rescaleInput(node, a);
        return node;
      }
    }
    if (sole && op instanceof Convolution c) {
      fold(node, a, c.bias());
      replace(node, new Convolution(c.outChannels(), c.kernelH(), c.kernelW(), c.spec(), true));
      return node;
    }
    if (sole && op instanceof Linear l) {
      fold(node, a, l.bias());
      replace(node, new Linear(l.outFeatures(), true));
      return node;
    }
    if (sole && (op instanceof BatchNorm || op instanceof LayerNorm || op instanceof GroupNorm)) {
      fold(node, a, true);
      affines.computeIfPresent(node, (k, before) -> before.then(a));
      return node;
    }
    float eps = 1e-5f;
    int n = a.scale().length;
    String norm = add(node + ".affine", new BatchNorm(eps, 0.1f), List.of(node));
    float[] variance = new float[n];
    Arrays.fill(variance, 1 - eps);
    parameter(norm, "weight", floats(a.scale()));
    parameter(norm, "bias", floats(a.shift()));
    parameter(norm, "running_mean", new float[n]);
    parameter(norm, "running_var", variance);
    affines.put(norm, a);
    return norm;
  }

  /** relu6(x + 3) / 6 and x relu6(x + 3) / 6 as one function. */
  private Optional<String> hardFunction(String node, Value.Affine a) {
    if (!a.is(1.0 / 6, 0)) {
      return Optional.empty();
    }
    Optional<String> x = shiftedRelu6(node);
    if (x.isPresent()) {
      return Optional.of(add(node + ".hard", Functions.HARD_SIGMOID, List.of(x.get())));
    }
    if (op(node) instanceof Multiply) {
      List<String> in = inputs(node);
      for (int i = 0; i < 2; i++) {
        if (shiftedRelu6(in.get(i)).equals(Optional.of(in.get(1 - i)))) {
          return Optional.of(add(node + ".hard", Functions.HARD_SWISH, List.of(in.get(1 - i))));
        }
      }
    }
    return Optional.empty();
  }

  /** x, where the node is relu6(x + 3). */
  private Optional<String> shiftedRelu6(String node) {
    return op(node).equals(Functions.RELU6)
            && affine(input(node)).filter(a -> a.is(1, 3)).isPresent()
        ? Optional.of(input(input(node)))
        : Optional.empty();
  }

  private void rescaleInput(String node, Value.Affine a) {
    float[] mean = parameters.get(node + ".mean").data();
    float[] std = parameters.get(node + ".std").data();
    float[] m = new float[mean.length];
    float[] s = new float[mean.length];
    for (int i = 0; i < m.length; i++) {
      m[i] = (float) (mean[i] - a.shift()[i] * std[i] / a.scale()[i]);
      s[i] = (float) (std[i] / a.scale()[i]);
    }
    parameter(node, "mean", m);
    parameter(node, "std", s);
  }

  private void fold(String node, Value.Affine a, boolean bias) {
    HostTensor weight = parameters.get(node + ".weight");
    float[] w = weight.data().clone();
    int each = w.length / a.scale().length;
    for (int i = 0; i < w.length; i++) {
      w[i] = (float) (w[i] * a.scale()[i / each]);
    }
    float[] b = new float[a.scale().length];
    for (int i = 0; i < b.length; i++) {
      double before = bias ? parameters.get(node + ".bias").data()[i] : 0;
      b[i] = (float) (before * a.scale()[i] + a.shift()[i]);
    }
    parameter(node, "weight", new HostTensor(weight.shape(), w));
    parameter(node, "bias", b);
  }

  private static float[] floats(double[] v) {
    float[] out = new float[v.length];
    for (int i = 0; i < v.length; i++) {
      out[i] = (float) v[i];
    }
    return out;
  }

  /** Names of the nodes so far, in the order in which they came. */
  List<String> names() {
    return Collections.unmodifiableList(order);
  }

  /** Notes that a node's parameters were made of some tensors of the file, by their names. */
  void origin(String node, List<String> tensors) {
    if (!affines.containsKey(node) && !tensors.isEmpty()) {
      origins.computeIfAbsent(tensors, t -> new ArrayList<>()).add(node);
    }
  }

  /** Names of nodes, and of all in front of them. */
  Set<String> needs(Collection<String> of) {
    Set<String> needed = new HashSet<>(of);
    Deque<String> open = new ArrayDeque<>(needed);
    while (!open.isEmpty()) {
      for (String in : nodes.get(open.poll()).inputs()) {
        if (needed.add(in)) {
          open.add(in);
        }
      }
    }
    return needed;
  }

  /**
   * Everything that some nodes need, and nothing else.
   *
   * @param output the node that is the network's, last
   * @param others more nodes whose results are wanted
   */
  Graph graph(String output, Collection<String> others) {
    List<String> all = new ArrayList<>(others);
    all.add(output);
    Set<String> needed = needs(all);
    List<Node> kept = new ArrayList<>(nodes.values());
    kept.removeIf(n -> !needed.contains(n.name()));
    Node last = nodes.get(output);
    boolean read = kept.stream().anyMatch(n -> n.inputs().contains(output));
    if (read) {
      kept.add(new Node(free("output"), new Identity(), List.of(output)));
    } else {
      kept.remove(last);
      kept.add(last);
    }
    return SharedParameters.in(
        new Graph(kept),
        parameters,
        origins.values().stream().filter(several -> several.size() > 1).toList());
  }

  Map<String, HostTensor> parameters() {
    return parameters;
  }
}
