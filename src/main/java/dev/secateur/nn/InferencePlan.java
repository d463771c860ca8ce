package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.nn.op.FilterBank;
import dev.secateur.nn.op.Op;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * The steps of an inference program: what {@link InferenceProgram} binds to memory, the latency
 * table times and a profile names, for any widths that the nodes may have.
 */
public final class InferencePlan {
  private final Graph graph;
  private final List<Entry> entries = new ArrayList<>();
  private final List<Entry> steps;
  private final Map<String, Integer> index = new HashMap<>();

  /**
   * A step in its network, or a view.
   *
   * @param nodes what is computed, in order; a view alone
   * @param norm a batch norm that is folded into the first node
   * @param residual the node that is added
   * @param step with the widths that the network has; none for a view of the first input
   */
  record Entry(
      List<Node> nodes,
      Optional<Node> norm,
      Optional<String> residual,
      Optional<InferenceStep> step) {

    Node first() {
      return nodes.get(0);
    }

    /** The node whose result is there when the step has run. */
    Node end() {
      return nodes.get(nodes.size() - 1);
    }

    /** Nodes whose results are read, the residual last. */
    List<String> reads() {
      List<String> out = new ArrayList<>(first().inputs());
      residual.ifPresent(out::add);
      return out;
    }

    /** Whether nothing else is computed with the first node. */
    boolean alone() {
      return nodes.size() == 1;
    }
  }

  private InferencePlan(Graph graph, Set<String> hooked) {
    this.graph = graph;
    Fusion fusion = new Fusion(graph, hooked);
    for (Node node : graph.nodes()) {
      index.put(node.name(), index.size());
      if (fusion.visible(node)) {
        entries.add(entry(node, fusion.endingAt(node)));
      }
    }
    steps = entries.stream().filter(e -> e.step().isPresent()).toList();
  }

  private Entry entry(Node node, Optional<Fusion.Fused> fused) {
    if (graph.isView(node)) {
      return new Entry(List.of(node), Optional.empty(), Optional.empty(), Optional.empty());
    }
    Node first = fused.map(Fusion.Fused::first).orElse(node);
    Optional<Node> norm = fused.flatMap(Fusion.Fused::norm);
    Optional<String> residual = fused.flatMap(Fusion.Fused::residual);
    InferenceStep step =
        new InferenceStep(
            first.op(),
            first.inputs().stream().map(graph::shape).toList(),
            graph.shape(node.name()),
            norm.isPresent() || first.op() instanceof FilterBank f && f.bias(),
            residual.isPresent(),
            fused.map(Fusion.Fused::activation).orElse(Activation.NONE),
            fused.flatMap(Fusion.Fused::function),
            graph.logits(node));
    return new Entry(
        fused.map(Fusion.Fused::nodes).orElse(List.of(node)), norm, residual, Optional.of(step));
  }

  public static InferencePlan of(Graph graph) {
    return of(graph, Set.of());
  }

  /**
   * @param hooked nodes whose own output is needed
   */
  static InferencePlan of(Graph graph, Set<String> hooked) {
    return new InferencePlan(graph, hooked);
  }

  /** Steps and views, in the order in which they are computed. */
  List<Entry> entries() {
    return entries;
  }

  /** How many steps there are. */
  public int size() {
    return steps.size();
  }

  /** Places in the graph of the nodes on whose widths a step depends. */
  public int[] nodes(int step) {
    Entry e = steps.get(step);
    return IntStream.concat(
            e.reads().stream().mapToInt(index::get), IntStream.of(index.get(e.end().name())))
        .toArray();
  }

  /**
   * A step when nodes have other widths. Which channels are kept does not count: a choice of
   * channels is taken as any such choice, a shortcut's zeros as lying evenly on both sides.
   *
   * @param widths channels (or features) by place in the graph
   */
  public InferenceStep at(int step, int[] widths) {
    Entry e = steps.get(step);
    InferenceStep own = e.step().orElseThrow();
    int[] nodes = nodes(step);
    List<Shape> inputs = new ArrayList<>();
    for (int i = 0; i < own.inputs().size(); i++) {
      inputs.add(own.inputs().get(i).with(1, widths[nodes[i]]));
    }
    int out = widths[nodes[nodes.length - 1]];
    Op op =
        inputs.isEmpty()
            ? own.op()
            : own.op().typical(own.inputs().get(0).size(1), inputs.get(0).size(1), out);
    return own.at(op, inputs, own.output().with(1, out));
  }
}
