package dev.secateur.prune.criterion;

import dev.secateur.data.Dataset;
import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.pls.ColumnScale;
import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.PlsFit;
import dev.secateur.pls.Projection;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** Variable importance in projection of each filter's pooled output (paper, section 3). */
record PlsVip(PlsSettings settings) implements Criterion {
  private static final int PLANE = 2;

  @Override
  public String name() {
    return "pls-vip";
  }

  @Override
  public String title() {
    return "PLS and VIP";
  }

  @Override
  public String measure() {
    return "VIP";
  }

  @Override
  public boolean projects() {
    return true;
  }

  /** Each layer's own PLS has as many components as it can. */
  @Override
  public boolean needsLabels() {
    return true;
  }

  @Override
  public void check(Graph graph, List<String> layers, Dataset images) {
    int features = Features.count(graph, columns(graph, layers));
    PlsFit.check(settings.components(), features, ScoringData.classes(images, graph));
  }

  @Override
  public boolean scoresSums() {
    return true;
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    List<String> columns = columns(net.graph(), layers);
    float[] weights = weights(net, columns);
    Function<CrossProducts, float[]> vip =
        settings.projections() == PlsSettings.Projections.ONE
            ? sums -> PlsFit.vip(sums, settings.components(), scale(weights))
            : sums -> perLayer(sums, net.graph(), columns, weights);
    Map<String, float[]> all = new FeatureCriterion(name(), true, vip).score(net, columns, data);
    Map<String, float[]> out = new LinkedHashMap<>();
    layers.forEach(l -> out.put(l, all.get(l)));
    return out;
  }

  private List<String> columns(Graph graph, List<String> layers) {
    return settings.columns() == PlsSettings.Columns.PRUNABLE
        ? layers
        : graph.nodes().stream().filter(n -> n.op().hasFilters()).map(Node::name).toList();
  }

  private ColumnScale scale(float[] weights) {
    ColumnScale scale = settings.scale().columns();
    return settings.weighting() == PlsSettings.Weighting.NONE ? scale : scale.times(weights);
  }

  /** What columns are multiplied with, in their order. */
  private float[] weights(Network net, List<String> columns) {
    float[] out = new float[Features.count(net.graph(), columns)];
    if (settings.weighting() == PlsSettings.Weighting.NONE) {
      Arrays.fill(out, 1);
      return out;
    }
    int at = 0;
    for (double[] of : Outgoing.norms(net, columns).values()) {
      for (double norm : of) {
        out[at++] = (float) norm;
      }
    }
    return out;
  }

  /**
   * A fit a layer: the other layers' columns are multiplied by 0. Layers have fewer components
   * where they have fewer filters.
   */
  private float[] perLayer(CrossProducts sums, Graph graph, List<String> layers, float[] weights) {
    int features = Features.count(graph, layers);
    float[] out = new float[features];
    int from = 0;
    for (String layer : layers) {
      int width = graph.shape(layer).size(1);
      float[] factors = new float[features];
      System.arraycopy(weights, from, factors, from, width);
      ColumnScale scale = settings.scale().columns().times(factors);
      int most = Math.min(settings.components(), width);
      float[] vip = PlsFit.vip(sums, most, scale);
      for (int j = from; j < from + width; j++) {
        out[j] = (float) (vip[j] * Math.sqrt((double) width / features));
      }
      from += width;
    }
    return out;
  }

  /** The first two components; none with one component, class or feature. */
  @Override
  public Optional<ProjectedImages> project(
      Network net, List<String> layers, ScoringData fit, ScoringData shown) {
    Device device = net.device();
    int features = Features.count(net.graph(), layers);
    int classes = fit.classes(net.graph());
    if (Math.min(settings.components(), Math.min(features, classes)) < PLANE) {
      return Optional.empty();
    }
    Optional<Projection> found;
    try (CrossProducts sums =
        CrossProducts.of(device, features, classes, fit.batchRows(), fit.rows())) {
      Features.stream(
          "project", net, layers, fit, (x, y, known, rows) -> sums.accumulate(x, y, rows));
      found = PlsFit.projection(sums, PLANE);
    }
    if (found.isEmpty()) {
      return Optional.empty();
    }
    Projection way = found.get();
    Points points = new Points(shown.rows());
    double[] offset = {way.offset(0), way.offset(1)};
    try (Arena arena = device.newArena()) {
      Tensor rotations = arena.floats(PLANE, features);
      Tensor batch = arena.floats(shown.batchRows(), PLANE);
      device.upload(way.rotations(), rotations);
      Map<Tensor, Kernel> project = new HashMap<>();
      Features.stream(
          "project",
          net,
          layers,
          shown,
          (x, y, known, rows) -> {
            project
                .computeIfAbsent(
                    x, t -> device.matrices().gemm(false, true, 1, t, rotations, 0, batch))
                .launch();
            points.add(device.downloadFloats(batch), known.get(), rows, offset);
          });
    }
    return Optional.of(points.images());
  }

  /** Images in the plane, as they come. */
  private static final class Points {
    private final int[] labels;
    private final float[] first;
    private final float[] second;
    private int count;

    Points(int most) {
      labels = new int[most];
      first = new float[most];
      second = new float[most];
    }

    /**
     * @param scores row-major (rows, 2)
     * @param offset to take off each component
     */
    void add(float[] scores, int[] own, int rows, double[] offset) {
      for (int i = 0; i < rows; i++) {
        labels[count] = own[i];
        first[count] = (float) (scores[i * PLANE] - offset[0]);
        second[count] = (float) (scores[i * PLANE + 1] - offset[1]);
        count++;
      }
    }

    ProjectedImages images() {
      return new ProjectedImages(
          Arrays.copyOf(labels, count), Arrays.copyOf(first, count), Arrays.copyOf(second, count));
    }
  }
}
