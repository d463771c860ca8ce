package dev.secateur.nn;

import dev.secateur.device.Device;
import dev.secateur.nn.op.Fit;
import dev.secateur.nn.op.Op;
import dev.secateur.tensor.Shape;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.IntStream;

/**
 * How many channels (or features) the nodes of a network have in a program compiled for a device:
 * their own and, behind them, as many more as make a multiple of {@link Device#channelMultiple}, so
 * that a network with 13 filters is computed as fast as one with 16. Filters, columns of filters
 * and all else that belongs to the additional channels is zero, so that what the network computes
 * stays the same; what such channels hold (mostly zeros) nothing depends on. Files and {@link
 * Network}s know nothing of it.
 *
 * <p>Where a node mixes channels in a way that zeros would change (layer norm and softmax over
 * channels, groups of several channels) and has a number that is no multiple, the whole network is
 * computed as it is, and the device is told ({@link Device#fellBack}).
 */
final class Widths {
  private final Graph graph;
  private final Map<String, Long> channels = new HashMap<>();
  private final Map<String, Shape> parameters = new LinkedHashMap<>();

  private Widths(Graph graph, Map<String, Long> channels) {
    this.graph = graph;
    this.channels.putAll(channels);
    for (Node n : graph.nodes()) {
      long in = n.inputs().isEmpty() ? 0 : channels.get(n.inputs().get(0));
      parameters.putAll(ParameterShapes.of(node(n), in, channels.get(n.name())));
    }
  }

  static Widths of(Graph graph, Device device) {
    Map<String, Long> out = new HashMap<>();
    for (Node n : graph.nodes()) {
      List<Shape> in = n.inputs().stream().map(graph::shape).toList();
      List<Long> wide = n.inputs().stream().map(out::get).toList();
      OptionalLong width =
          n.op().padded(in, wide, graph.shape(n.name()).dim(1), device.channelMultiple());
      if (width.isEmpty()) {
        device.fellBack(
            "channels are not padded to multiples of "
                + device.channelMultiple()
                + ": "
                + n.name()
                + " does not take it");
        return asTheyAre(graph);
      }
      out.put(n.name(), width.getAsLong());
    }
    Widths widths = new Widths(graph, out);
    for (Node n : graph.nodes()) {
      if (graph.shares(n) && !widths.fits(n)) {
        device.fellBack(
            "channels are not padded to multiples of "
                + device.channelMultiple()
                + ": "
                + n.name()
                + " shares its parameters with a layer of other paddings");
        return asTheyAre(graph);
      }
    }
    return widths;
  }

  /** Whether the parameters of a node have the shapes that it wants. */
  private boolean fits(Node n) {
    long in = channels.get(n.inputs().get(0));
    return ParameterShapes.of(node(n), in, channels.get(n.name())).entrySet().stream()
        .allMatch(e -> e.getValue().equals(parameter(e.getKey())));
  }

  /** A step by itself, with as many channels as it has in a program for the device. */
  static InferenceStep of(InferenceStep step, Device device) {
    int multiple = device.channelMultiple();
    List<Shape> in = step.inputs();
    List<Long> wide = in.stream().map(s -> Fit.up(s.dim(1), multiple)).toList();
    OptionalLong out = step.op().padded(in, wide, step.output().dim(1), multiple);
    if (out.isEmpty()) {
      return step;
    }
    long width = out.getAsLong();
    List<Shape> inputs =
        IntStream.range(0, in.size()).mapToObj(i -> in.get(i).with(1, wide.get(i))).toList();
    Op op = in.isEmpty() ? step.op() : widened(step.op(), in.get(0).dim(1), wide.get(0), width);
    return step.at(op, inputs, step.output().with(1, width));
  }

  private static Widths asTheyAre(Graph graph) {
    Map<String, Long> out = new HashMap<>();
    graph.nodes().forEach(n -> out.put(n.name(), graph.shape(n.name()).dim(1)));
    return new Widths(graph, out);
  }

  /** The shape of a node's result for one image. */
  Shape shape(String node) {
    return graph.shape(node).with(1, channels.get(node));
  }

  /** The channels of its own that a node's result has, in front of all others. */
  long own(String node) {
    return graph.shape(node).dim(1);
  }

  /** The same of what a node reads. */
  List<Long> reads(Node n) {
    return n.inputs().stream().map(this::own).toList();
  }

  /** The node with an operation on these numbers of channels. */
  Node node(Node n) {
    if (n.inputs().isEmpty()) {
      return n;
    }
    String from = n.inputs().get(0);
    Op op = widened(n.op(), own(from), channels.get(from), channels.get(n.name()));
    return n.with(op);
  }

  /**
   * @param before channels that it reads without additional ones
   */
  private static Op widened(Op op, long before, long in, long out) {
    return op.widened((int) before, (int) in, (int) out);
  }

  /** The shape of a parameter; no axis is shorter than the network's. */
  Shape parameter(String name) {
    return parameters.get(name);
  }
}
