package dev.secateur.prune.criterion;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.nn.Graph;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.Op;
import dev.secateur.tensor.DType;
import dev.secateur.tensor.Layout;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.train.BatchFeed;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * Lin et al., HRank: Filter Pruning using High-Rank Feature Map, CVPR 2020: the mean rank of a
 * filter's feature map (height x width) over images, behind batch norm and activation as in the
 * authors' code, over {@value #MOST} images as there. The paper ranks the filters of a layer among
 * themselves, and a map cannot have a higher rank than its height: scores are divided by their
 * layer's mean, so that one threshold serves all layers.
 *
 * <p>The maps of one layer at a time come to the host, which finds their ranks in parallel; the
 * network is run up to that layer for each layer.
 */
final class FeatureMapRank implements Criterion {
  private static final int MOST = 500;

  @Override
  public String name() {
    return "hrank";
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    Model model = net.toModel();
    Map<String, float[]> out = new LinkedHashMap<>();
    data.progress().start("score", layers.size());
    for (String layer : layers) {
      Graph part = upTo(model.graph(), mapOf(model.graph(), layer));
      try (Network head =
          new Network(net.device(), new Model(part, model.parameters(), Map.of()))) {
        out.put(layer, WeightCriterion.overMean(ranks(head, data.atMost(MOST))));
      }
      data.progress().step(out.size(), Map.of());
    }
    data.progress().finish();
    return out;
  }

  /**
   * The node behind a convolution's batch norm and activation, where nothing else reads between.
   */
  private static Node mapOf(Graph graph, String layer) {
    Node at = graph.node(layer);
    while (true) {
      List<Node> readers = graph.consumers(at.name());
      boolean goesOn =
          readers.size() == 1
              && (readers.get(0).op() instanceof Op.BatchNorm
                  || readers.get(0).op() instanceof Op.Activate);
      if (!goesOn) {
        return at;
      }
      at = readers.get(0);
    }
  }

  /** What {@code end} depends on, and itself. */
  private static Graph upTo(Graph graph, Node end) {
    Set<String> needed = new HashSet<>(Set.of(end.name()));
    List<Node> nodes = new ArrayList<>();
    for (int i = graph.nodes().size() - 1; i >= 0; i--) {
      Node n = graph.nodes().get(i);
      if (needed.contains(n.name())) {
        needed.addAll(n.inputs());
        nodes.add(0, n);
      }
    }
    return new Graph(nodes);
  }

  /** Mean rank of each channel of the network's output. */
  private static double[] ranks(Network head, ScoringData data) {
    Device device = head.device();
    Shape map = head.graph().shape(head.graph().output().name());
    int channels = map.size(1);
    int size = map.size(2) * map.size(3);
    long[] sums = new long[channels];
    long images = 0;
    try (InferenceProgram program = InferenceProgram.compile(head, data.batch(), Optional.empty());
        Arena arena = device.newArena()) {
      Tensor labels = arena.allocate(Shape.of(data.batch()), DType.I32, Layout.PLAIN);
      try (BatchFeed feed =
          new BatchFeed(device, data.images(), program.pixels(), labels, data.samples())) {
        for (int rows = feed.next(); rows > 0; rows = feed.next()) {
          program.run();
          float[] maps = device.downloadFloats(program.output());
          int taken = rows;
          IntStream.range(0, channels)
              .parallel()
              .forEach(
                  c -> {
                    MatrixRank rank = new MatrixRank(map.size(2), map.size(3));
                    for (int i = 0; i < taken; i++) {
                      sums[c] += rank.of(maps, (i * channels + c) * size);
                    }
                  });
          images += rows;
        }
      }
    }
    double[] out = new double[channels];
    for (int c = 0; c < channels; c++) {
      out[c] = (double) sums[c] / images;
    }
    return out;
  }
}
