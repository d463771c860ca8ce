package dev.secateur.nn;

import dev.secateur.tensor.Shape;
import java.util.Map;

/**
 * What a network costs, counted as the field does.
 *
 * @param parameters trainable numbers
 * @param macs multiply-accumulates of convolutions and linear layers for one image; FLOPs are twice
 *     as many
 */
public record Cost(long parameters, long macs) {

  public static Cost of(Graph graph) {
    long parameters = 0;
    long macs = 0;
    for (Map.Entry<String, Shape> e : ParameterShapes.of(graph).entrySet()) {
      parameters += ParameterShapes.trainable(e.getKey()) ? e.getValue().elements() : 0;
    }
    for (Node n : graph.nodes()) {
      macs += macs(graph, n);
    }
    return new Cost(parameters, macs);
  }

  /** Multiply-accumulates of one node for one image; 0 for all but convolutions and linear. */
  public static long macs(Graph graph, Node n) {
    return n.inputs().isEmpty()
        ? 0
        : n.op().macs(graph.shape(n.inputs().get(0)), graph.shape(n.name()));
  }
}
