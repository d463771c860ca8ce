package dev.secateur.prune.criterion;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.nn.ForwardHook;
import dev.secateur.nn.Graph;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Network;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.train.BatchFeed;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The feature matrix that some criteria rank the columns of: each filter's output, pooled to one
 * number an image, for all layers side by side.
 */
final class Features {
  private Features() {}

  /** Takes in a batch. */
  @FunctionalInterface
  interface Batches {
    /**
     * @param features F32 (batch, filters of all layers); the same tensor each time
     * @param labels I32 (batch), the same tensor each time
     * @param feed knows the labels on the host
     * @param rows that count; they come first
     */
    void take(Tensor features, Tensor labels, BatchFeed feed, int rows);
  }

  /** Looks at a batch that went through a network. */
  @FunctionalInterface
  interface Runs {
    /**
     * @param program has run on the batch
     * @param labels I32 (batch), the same tensor each time
     * @param feed knows the labels on the host
     * @param rows that count; they come first
     */
    void take(InferenceProgram program, Tensor labels, BatchFeed feed, int rows);
  }

  /** Runs the images through the network once; features stay on the device. */
  static void stream(
      String phase, Network net, List<String> layers, ScoringData data, Batches sink) {
    ForwardHook hook = data.pooling().hook(net.graph(), layers);
    run(
        phase,
        net,
        Optional.of(hook),
        data,
        (program, labels, feed, rows) -> sink.take(program.features(), labels, feed, rows));
  }

  /** Runs the images through the network once, batch by batch. */
  static void run(
      String phase, Network net, Optional<ForwardHook> hook, ScoringData data, Runs sink) {
    Device device = net.device();
    try (InferenceProgram program = InferenceProgram.compile(net, data.batch(), hook);
        Arena arena = device.newArena()) {
      Tensor labels = arena.allocate(Shape.of(data.batch()), DType.I32, Layout.PLAIN);
      try (BatchFeed feed =
          new BatchFeed(device, data.images(), program.pixels(), labels, data.samples())) {
        data.progress().start(phase, feed.images());
        for (int rows = feed.next(); rows > 0; rows = feed.next()) {
          program.run();
          sink.take(program, labels, feed, rows);
          data.progress().step(feed.done(), Map.of());
        }
      }
      data.progress().finish();
    }
  }

  /** Number of columns. */
  static int count(Graph graph, List<String> layers) {
    return layers.stream().mapToInt(l -> graph.shape(l).size(1)).sum();
  }

  static int classes(Graph graph) {
    return graph.shape(graph.output().name()).size(1);
  }

  /** One score a column, cut into layers. */
  static Map<String, float[]> byLayer(Graph graph, List<String> layers, float[] scores) {
    Map<String, float[]> out = new LinkedHashMap<>();
    int at = 0;
    for (String layer : layers) {
      int width = graph.shape(layer).size(1);
      out.put(layer, Arrays.copyOfRange(scores, at, at + width));
      at += width;
    }
    return out;
  }
}
