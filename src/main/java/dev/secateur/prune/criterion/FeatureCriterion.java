package dev.secateur.prune.criterion;

import dev.secateur.nn.Network;
import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.Moments;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * A ranking of pooled features from their sums and products. One pass over the images, gathered on
 * the device; memory does not grow with their number. All layers' features are ranked together, so
 * that scores are comparable between layers.
 *
 * @param needs what the ranking asks for
 * @param ranking one score a feature
 */
record FeatureCriterion(String name, Needs needs, Function<CrossProducts, float[]> ranking)
    implements Criterion {

  /** Says whether there are images, classes and features enough. */
  @FunctionalInterface
  interface Needs {
    /**
     * @param counts images by class
     * @throws dev.secateur.SecateurException where there are too few
     */
    void check(String criterion, double[] counts, CrossProducts sums);
  }

  /** One that tells classes apart by features that vary. */
  static FeatureCriterion ofClasses(String name, Function<CrossProducts, float[]> ranking) {
    return new FeatureCriterion(
        name, (n, counts, sums) -> Enough.varyingClasses(n, Moments.of(sums)), ranking);
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    int features = Features.count(net.graph(), layers);
    int classes = Features.classes(net.graph());
    try (CrossProducts sums =
        CrossProducts.of(net.device(), features, classes, data.batch(), data.size())) {
      double[] counts = new double[classes];
      Features.stream(
          "score",
          net,
          layers,
          data,
          (x, y, feed, rows) -> {
            sums.accumulate(x, y, rows);
            int[] labels = feed.labels();
            for (int i = 0; i < rows; i++) {
              if (labels[i] >= 0) {
                counts[labels[i]]++;
              }
            }
          });
      needs.check(name, counts, sums);
      float[] scores = ranking.apply(sums);
      return Enough.scores(name, Features.byLayer(net.graph(), layers, scores));
    }
  }
}
