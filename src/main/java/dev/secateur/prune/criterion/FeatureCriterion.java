package dev.secateur.prune.criterion;

import dev.secateur.nn.Network;
import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.Moments;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * A ranking of pooled features from their sums and products. One pass over the images, gathered on
 * the device; memory does not grow with their number. All layers' features are ranked together, so
 * that scores are comparable between layers.
 *
 * @param needs which features and classes the ranking asks for: name and moments; throws where
 *     there are too few
 * @param ranking one score a feature
 */
record FeatureCriterion(
    String name, BiConsumer<String, Moments> needs, Function<CrossProducts, float[]> ranking)
    implements Criterion {

  /** One that tells classes apart by features that vary. */
  static FeatureCriterion ofClasses(String name, Function<CrossProducts, float[]> ranking) {
    return new FeatureCriterion(name, Enough::varyingClasses, ranking);
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    int features = Features.count(net.graph(), layers);
    int classes = Features.classes(net.graph());
    try (CrossProducts sums =
        CrossProducts.of(net.device(), features, classes, data.batch(), data.size())) {
      Features.stream(
          "score", net, layers, data, (x, y, feed, rows) -> sums.accumulate(x, y, rows));
      needs.accept(name, Moments.of(sums));
      float[] scores = ranking.apply(sums);
      return Enough.scores(name, Features.byLayer(net.graph(), layers, scores));
    }
  }
}
