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
    Shape y = graph.shape(n.name());
    if (n.op() instanceof Op.Convolution c) {
      long in = graph.shape(n.inputs().get(0)).dim(1) / c.spec().groups();
      return y.elements() * in * c.kernelH() * c.kernelW();
    }
    if (n.op() instanceof Op.TransposedConvolution t) {
      long perGroup = t.outChannels() / t.spec().groups();
      long in = graph.shape(n.inputs().get(0)).elements();
      return in * perGroup * t.kernelH() * t.kernelW();
    }
    if (n.op() instanceof Op.Linear) {
      return y.elements() * graph.shape(n.inputs().get(0)).elements();
    }
    return 0;
  }
}
