package dev.secateur.nn;

import dev.secateur.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The parameters that a graph needs, by name, with their shapes. */
public final class ParameterShapes {
  private ParameterShapes() {}

  /** All parameters in the graph's order. {@code input.mean} and {@code input.std} are (C) here. */
  public static Map<String, Shape> of(Graph graph) {
    Map<String, Shape> out = new LinkedHashMap<>();
    for (Node n : graph.nodes()) {
      long in = n.inputs().isEmpty() ? 0 : graph.shape(n.inputs().get(0)).dim(1);
      out.putAll(of(n, in, graph.shape(n.name()).dim(1)));
    }
    return out;
  }

  /**
   * Those of one node.
   *
   * @param in channels (or features) that it reads
   * @param width channels (or features) of its output
   */
  static Map<String, Shape> of(Node n, long in, long width) {
    Map<String, Shape> out = new LinkedHashMap<>();
    String name = n.name();
    if (n.op() instanceof Op.Input i) {
      out.put(name + ".mean", Shape.of(i.channels()));
      out.put(name + ".std", Shape.of(i.channels()));
    } else if (n.op() instanceof Op.Convolution c) {
      out.put(
          name + ".weight",
          Shape.of(c.outChannels(), in / c.spec().groups(), c.kernelH(), c.kernelW()));
      if (c.bias()) {
        out.put(name + ".bias", Shape.of(c.outChannels()));
      }
    } else if (n.op() instanceof Op.BatchNorm) {
      for (String part : List.of(".weight", ".bias", ".running_mean", ".running_var")) {
        out.put(name + part, Shape.of(width));
      }
    } else if (n.op() instanceof Op.LayerNorm) {
      out.put(name + ".weight", Shape.of(width));
      out.put(name + ".bias", Shape.of(width));
    } else if (n.op() instanceof Op.TransposedConvolution t) {
      long perGroup = t.outChannels() / t.spec().groups();
      out.put(name + ".weight", Shape.of(in, perGroup, t.kernelH(), t.kernelW()));
      if (t.bias()) {
        out.put(name + ".bias", Shape.of(t.outChannels()));
      }
    } else if (n.op() instanceof Op.Linear l) {
      out.put(name + ".weight", Shape.of(l.outFeatures(), in));
      if (l.bias()) {
        out.put(name + ".bias", Shape.of(l.outFeatures()));
      }
    }
    return out;
  }

  /**
   * Whether weight decay is meant for this parameter: the weights of convolutions and linear
   * layers, not biases and not the scales and shifts of norms.
   */
  static boolean decays(String parameter, Shape shape) {
    return trainable(parameter) && shape.rank() > 1;
  }

  /** Whether it is a running statistic of a batch norm. */
  static boolean running(String parameter) {
    return parameter.endsWith(".running_mean") || parameter.endsWith(".running_var");
  }

  /**
   * Whether an optimiser changes this parameter: not the normalisation, not the running statistics.
   */
  public static boolean trainable(String parameter) {
    return !running(parameter) && !parameter.equals("input.mean") && !parameter.equals("input.std");
  }
}
