package dev.secateur.nn;

import dev.secateur.device.Activation;
import dev.secateur.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/** The steps of an inference program without hooks, for any widths that the nodes may have. */
public final class InferencePlan {
  private final List<Place> places = new ArrayList<>();

  /**
   * A step in its network.
   *
   * @param reads places in the graph of the nodes whose results it reads, the residual last
   * @param end of the node whose result it computes
   * @param step with the widths that the network has
   */
  private record Place(int[] reads, int end, InferenceStep step) {}

  private InferencePlan(Graph graph) {
    Fusion fusion = new Fusion(graph, Set.of());
    Map<String, Integer> index = new HashMap<>();
    for (Node node : graph.nodes()) {
      index.put(node.name(), index.size());
      if (fusion.visible(node) && !graph.isView(node)) {
        Optional<Fusion.Fused> fused = fusion.endingAt(node);
        Node first = fused.map(Fusion.Fused::first).orElse(node);
        InferenceStep step =
            new InferenceStep(
                first.op(),
                first.inputs().stream().map(graph::shape).toList(),
                graph.shape(node.name()),
                fused.flatMap(Fusion.Fused::norm).isPresent()
                    || first.op() instanceof Op.Convolution c && c.bias(),
                fused.flatMap(Fusion.Fused::residual).isPresent(),
                fused.map(Fusion.Fused::activation).orElse(Activation.NONE),
                graph.logits(node));
        int[] reads = fusion.reads(node).stream().mapToInt(index::get).toArray();
        places.add(new Place(reads, index.get(node.name()), step));
      }
    }
  }

  public static InferencePlan of(Graph graph) {
    return new InferencePlan(graph);
  }

  /** How many steps there are. */
  public int size() {
    return places.size();
  }

  /** Places in the graph of the nodes on whose widths a step depends. */
  public int[] nodes(int step) {
    Place p = places.get(step);
    int[] out = Arrays.copyOf(p.reads, p.reads.length + 1);
    out[p.reads.length] = p.end;
    return out;
  }

  /**
   * A step when nodes have other widths. Which channels are kept does not count: a choice of
   * channels is taken as any such choice, a shortcut's zeros as lying evenly on both sides.
   *
   * @param widths channels (or features) by place in the graph
   */
  public InferenceStep at(int step, int[] widths) {
    Place p = places.get(step);
    List<Shape> inputs = new ArrayList<>();
    for (int i = 0; i < p.step.inputs().size(); i++) {
      inputs.add(p.step.inputs().get(i).with(1, widths[p.reads[i]]));
    }
    int out = widths[p.end];
    return new InferenceStep(
        inputs.isEmpty() ? p.step.op() : op(p.step, inputs.get(0).size(1), out),
        inputs,
        p.step.output().with(1, out),
        p.step.bias(),
        p.step.residual(),
        p.step.activation(),
        p.step.logits());
  }

  private static Op op(InferenceStep step, int in, int out) {
    if (step.op() instanceof Op.Shortcut s) {
      int before = (out - in) / 2;
      return new Op.Shortcut(s.stride(), before, out - in - before);
    }
    if (step.op() instanceof Op.SelectChannels s) {
      return new Op.SelectChannels(
          IntStream.range(0, out).mapToObj(j -> inOrder(s) ? j : in - 1 - j % in).toList());
    }
    return step.op().resized(step.inputs().get(0).size(1), in, out);
  }

  /** Whether the channels are neighbours, which a device may copy faster. */
  private static boolean inOrder(Op.SelectChannels s) {
    return IntStream.range(1, s.channels().size())
        .allMatch(j -> s.channels().get(j) == s.channels().get(j - 1) + 1);
  }
}
