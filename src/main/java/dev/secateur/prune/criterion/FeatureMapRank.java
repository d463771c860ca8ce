package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import dev.secateur.device.Device;
import dev.secateur.nn.Graph;
import dev.secateur.nn.InferenceProgram;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.nn.op.Activate;
import dev.secateur.nn.op.BatchNorm;
import dev.secateur.tensor.Shape;
import dev.secateur.tensor.Tensor;
import dev.secateur.train.BatchFeed;
import dev.secateur.train.ProgressListener;
import java.util.ArrayList;
import java.util.Arrays;
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
  public boolean scoresSums() {
    return true;
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
        ScoringData few =
            new ScoringData(
                data.images(),
                Math.min(data.samples(), MOST),
                data.batch(),
                data.pooling(),
                ProgressListener.none()); // it would tell images; layers are told here
        RankSums sums = new RankSums(net.device(), part.shape(part.output().name()), layer);
        Features.run("score", head, Optional.empty(), few, sums);
        out.put(layer, WeightCriterion.overMean(sums.means()));
      }
      data.progress().step(out.size(), Map.of());
    }
    data.progress().finish();
    return Enough.scores(name(), out);
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
              && (readers.get(0).op() instanceof BatchNorm
                  || readers.get(0).op() instanceof Activate);
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

  /** Adds up the ranks of each channel of a network's output. */
  private static final class RankSums implements Features.Runs {
    private final Device device;
    private final Shape map;
    private final String layer;
    private final long[] sums;
    private long images;

    /**
     * @param map shape of one image's output, (1,C,H,W) or (1,C)
     * @param layer for messages
     */
    RankSums(Device device, Shape map, String layer) {
      this.device = device;
      this.map = map;
      this.layer = layer;
      sums = new long[map.size(1)];
    }

    @Override
    public void take(InferenceProgram program, Tensor labels, BatchFeed feed, int rows) {
      float[] maps = device.downloadFloats(program.output());
      int height = map.rank() == 4 ? map.size(2) : 1; // a linear layer's map is a number
      int width = map.rank() == 4 ? map.size(3) : 1;
      try {
        IntStream.range(0, sums.length)
            .parallel()
            .forEach(
                c -> {
                  MatrixRank rank = new MatrixRank(height, width);
                  for (int i = 0; i < rows; i++) {
                    sums[c] += rank.of(maps, (i * sums.length + c) * height * width);
                  }
                });
      } catch (ArithmeticException e) {
        throw new SecateurException(
            "criterion hrank: the feature maps of " + layer + " are not finite numbers", e);
      }
      images += rows;
    }

    /** By channel. */
    double[] means() {
      Enough.rows("hrank", "image", images, 1);
      return Arrays.stream(sums).mapToDouble(s -> (double) s / images).toArray();
    }
  }
}
