package dev.secateur.prune.criterion;

import dev.secateur.data.Dataset;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** The product of several criteria's scores, filter by filter: all of them have a say. */
record Product(List<Criterion> factors) implements Criterion {
  @Override
  public String name() {
    return factors.stream().map(Criterion::name).collect(Collectors.joining("*"));
  }

  @Override
  public String title() {
    return factors.stream().map(Criterion::title).collect(Collectors.joining(", times "));
  }

  @Override
  public boolean needsData() {
    return factors.stream().anyMatch(Criterion::needsData);
  }

  @Override
  public boolean projects() {
    return factors.stream().anyMatch(Criterion::projects);
  }

  @Override
  public boolean needsLabels() {
    return factors.stream().anyMatch(Criterion::needsLabels);
  }

  @Override
  public boolean scoresSums() {
    return factors.stream().allMatch(Criterion::scoresSums);
  }

  @Override
  public void check(Graph graph, List<String> layers, Dataset images) {
    factors.forEach(c -> c.check(graph, layers, images));
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    Map<String, float[]> out = new LinkedHashMap<>();
    for (Criterion c : factors) {
      c.score(net, layers, data).forEach((layer, of) -> out.merge(layer, of, Product::times));
    }
    return out;
  }

  private static float[] times(float[] a, float[] b) {
    float[] out = new float[a.length];
    for (int i = 0; i < a.length; i++) {
      out[i] = a[i] * b[i];
    }
    return out;
  }

  @Override
  public Optional<ProjectedImages> project(
      Network net, List<String> layers, ScoringData fit, ScoringData shown) {
    return factors.stream()
        .filter(Criterion::projects)
        .findFirst()
        .flatMap(c -> c.project(net, layers, fit, shown));
  }
}
