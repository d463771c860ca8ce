package dev.secateur.prune.criterion;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.nn.ForwardHook;
import dev.secateur.nn.Graph;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Network;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.train.BatchFeed;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * The feature matrix that some criteria rank the columns of: each filter's output, pooled to one
 * number an image, for all layers side by side. The row of a pair is |f(a) - f(b)| of its images'
 * rows, column by column, and its label 1 where they are the same, else 0.
 */
final class Features {
  private Features() {}

  /** Takes in a batch. */
  @FunctionalInterface
  interface Batches {
    /**
     * @param features F32 (rows in a batch, filters of all layers); the same tensor each time
     * @param labels I32 (rows in a batch), the same tensor each time
     * @param known the same labels, from the host; nothing is copied for this
     * @param rows that count; they come first
     */
    void take(Tensor features, Tensor labels, Supplier<int[]> known, int rows);
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

  /** Runs images or pairs through the network once; features stay on the device. */
  static void stream(
      String phase, Network net, List<String> layers, ScoringData data, Batches sink) {
    if (!data.images().paired()) {
      images(phase, net, layers, data, sink);
      return;
    }
    int features = count(net.graph(), layers);
    try (Pairs pairs = new Pairs(net.device(), data.batch() / 2, features)) {
      images(
          phase,
          net,
          layers,
          data,
          (x, y, known, rows) -> {
            pairs.form(x, y);
            sink.take(pairs.features, pairs.labels, () -> everySecond(known.get()), rows / 2);
          });
    }
  }

  private static int[] everySecond(int[] labels) {
    return IntStream.range(0, labels.length / 2).map(i -> labels[2 * i]).toArray();
  }

  /** Rows of pairs from the rows of their images. */
  private static final class Pairs implements AutoCloseable {
    private final Device device;
    private final Arena arena;
    private final Tensor features;
    private final Tensor labels;
    private final Tensor firsts;
    private final List<Kernel> kernels = new ArrayList<>();

    Pairs(Device device, int pairs, int columns) {
      this.device = device;
      arena = device.newArena();
      try {
        features = arena.floats(pairs, columns);
        labels = arena.allocate(Shape.of(pairs), DType.I32, Layout.PLAIN);
        firsts = arena.allocate(Shape.of(pairs), DType.I32, Layout.PLAIN);
        device.upload(IntStream.range(0, pairs).map(i -> 2 * i).toArray(), firsts);
      } catch (RuntimeException e) {
        throw Cleanup.after(e, arena);
      }
    }

    /** Both tensors are the same each time. */
    void form(Tensor x, Tensor y) {
      if (kernels.isEmpty()) {
        kernels.add(device.pls().pairDifferences(x, features));
        kernels.add(device.moves().gather(y, 0, firsts, labels));
      }
      kernels.forEach(Kernel::launch);
    }

    @Override
    public void close() {
      arena.close();
    }
  }

  /** The same with a row for each image, of pairs too. */
  static void images(
      String phase, Network net, List<String> layers, ScoringData data, Batches sink) {
    ForwardHook hook = data.pooling().hook(net.graph(), layers);
    run(
        phase,
        net,
        Optional.of(hook),
        data,
        (program, labels, feed, rows) -> sink.take(program.features(), labels, feed::labels, rows));
  }

  /** Runs the images through the network once, batch by batch. */
  static void run(
      String phase, Network net, Optional<ForwardHook> hook, ScoringData data, Runs sink) {
    Device device = net.device();
    try (InferenceProgram program = InferenceProgram.compile(net, data.batch(), hook)) {
      try (BatchFeed feed = new BatchFeed(device, data.images(), program.input(), data.samples())) {
        data.progress().start(phase, feed.images());
        for (int rows = feed.next(); rows > 0; rows = feed.next()) {
          program.run();
          sink.take(program, program.input().labels(), feed, rows);
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
