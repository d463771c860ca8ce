package dev.secateur.prune.criterion;

import dev.secateur.nn.Network;
import dev.secateur.pls.CrossProducts;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * A ranking of pooled features from their sums and products. One pass over the images, gathered on
 * the device; memory does not grow with their number. All layers' features are ranked together, so
 * that scores are comparable between layers.
 *
 * @param classes whether it asks which features tell classes apart
 * @param ranking one score a feature; all zero where no feature varies
 */
record FeatureCriterion(String name, boolean classes, Function<CrossProducts, float[]> ranking)
    implements Criterion {

  @Override
  public boolean needsLabels() {
    return classes;
  }

  @Override
  public boolean scoresSums() {
    return true;
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    int features = Features.count(net.graph(), layers);
    double[] counts = new double[data.classes(net.graph())];
    try (CrossProducts sums =
        CrossProducts.of(net.device(), features, counts.length, data.batchRows(), data.rows())) {
      Features.stream(
          "score",
          net,
          layers,
          data,
          (x, y, known, rows) -> {
            sums.accumulate(x, y, rows);
            int[] labels = known.get();
            for (int i = 0; i < rows; i++) {
              if (labels[i] >= 0) {
                counts[labels[i]]++;
              }
            }
          });
      Enough.rows(name, data.row(), counts, 2);
      if (classes) {
        Enough.classes(name, data.row(), counts);
      }
      float[] scores = ranking.apply(sums);
      Enough.varying(name, data.row(), counts, scores);
      return Features.byLayer(net.graph(), layers, scores);
    }
  }
}
