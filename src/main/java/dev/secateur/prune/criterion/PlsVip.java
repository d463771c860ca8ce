package dev.secateur.prune.criterion;

import dev.secateur.device.Arena;
import dev.secateur.device.Device;
import dev.secateur.device.Kernel;
import dev.secateur.nn.Network;
import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.PlsFit;
import dev.secateur.pls.Projection;
import dev.secateur.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Variable importance in projection of each filter's pooled output (paper, section 3).
 *
 * @param components of PLS
 */
record PlsVip(int components) implements Criterion {
  private static final int PLANE = 2;

  @Override
  public String name() {
    return "pls-vip";
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    return new FeatureCriterion(name(), sums -> PlsFit.vip(sums, components))
        .score(net, layers, data);
  }

  /** The first two components; none with one component, class or feature. */
  @Override
  public Optional<ProjectedImages> project(
      Network net, List<String> layers, ScoringData fit, ScoringData shown) {
    Device device = net.device();
    int features = Features.count(net.graph(), layers);
    int classes = Features.classes(net.graph());
    if (Math.min(components, Math.min(features, classes)) < PLANE) {
      return Optional.empty();
    }
    Optional<Projection> found;
    try (CrossProducts sums =
        CrossProducts.of(device, features, classes, fit.batch(), fit.size())) {
      Features.stream(
          "project", net, layers, fit, (x, y, feed, rows) -> sums.accumulate(x, y, rows));
      found = PlsFit.projection(sums, PLANE);
    }
    if (found.isEmpty()) {
      return Optional.empty();
    }
    Projection way = found.get();
    int[] labels = new int[shown.size()];
    float[][] scores = new float[PLANE][shown.size()];
    int[] count = {0};
    double[] offset = {way.offset(0), way.offset(1)};
    try (Arena arena = device.newArena()) {
      Tensor rotations = arena.floats(PLANE, features);
      Tensor batch = arena.floats(fit.batch(), PLANE);
      device.upload(way.rotations(), rotations);
      Map<Tensor, Kernel> project = new HashMap<>();
      Features.stream(
          "project",
          net,
          layers,
          shown,
          (x, y, feed, rows) -> {
            project
                .computeIfAbsent(
                    x, t -> device.matrices().gemm(false, true, 1, t, rotations, 0, batch))
                .launch();
            float[] out = device.downloadFloats(batch);
            int[] own = feed.labels();
            for (int i = 0; i < rows; i++) {
              labels[count[0]] = own[i];
              for (int a = 0; a < PLANE; a++) {
                scores[a][count[0]] = (float) (out[i * PLANE + a] - offset[a]);
              }
              count[0]++;
            }
          });
    }
    return Optional.of(
        new ProjectedImages(
            Arrays.copyOf(labels, count[0]),
            Arrays.copyOf(scores[0], count[0]),
            Arrays.copyOf(scores[1], count[0])));
  }
}
