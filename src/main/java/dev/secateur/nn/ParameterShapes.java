package dev.secateur.nn;

import dev.secateur.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.Map;

/** The parameters that a graph needs, by name, with their shapes. */
public final class ParameterShapes {
  private ParameterShapes() {}

  /** All parameters in the graph's order. {@code input.mean} and {@code input.std} are (C) here. */
  public static Map<String, Shape> of(Graph graph) {
    Map<String, Shape> out = new LinkedHashMap<>();
    graph.nodes().forEach(n -> out.putAll(of(graph, n)));
    return out;
  }

  /** Those of one node, which it may share with others. */
  public static Map<String, Shape> of(Graph graph, Node n) {
    long in = n.inputs().isEmpty() ? 0 : graph.shape(n.inputs().get(0)).dim(1);
    return of(n, in, graph.shape(n.name()).dim(1));
  }

  /**
   * Those of one node.
   *
   * @param in channels (or features) that it reads
   * @param width channels (or features) of its output
   */
  static Map<String, Shape> of(Node n, long in, long width) {
    Map<String, Shape> out = new LinkedHashMap<>();
    n.op().parameters(in, width).forEach((part, s) -> out.put(n.parameter(part), s));
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
