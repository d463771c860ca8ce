package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import dev.secateur.nn.Network;
import dev.secateur.train.Evaluator;
import java.util.List;
import java.util.Map;

/**
 * How much each filter matters.
 *
 * @param criterion the name of what says so
 * @param byFilter by convolution in the graph's order, one number a filter
 */
public record Importance(String criterion, Map<String, float[]> byFilter) {

  /**
   * Of a network's filters by a criterion.
   *
   * @param layers convolutions to score
   * @throws SecateurException when there are none, the data does not fit or a score is not a finite
   *     number
   */
  public static Importance of(
      Criterion criterion, Network net, List<String> layers, ScoringData data) {
    if (layers.isEmpty()) {
      throw new SecateurException("the network has no convolution that can be pruned");
    }
    if (criterion.needsData()) {
      Evaluator.checkFits(net, data.images());
    }
    Map<String, float[]> scores = criterion.score(net, layers, data);
    scores.forEach(
        (layer, of) -> {
          for (int i = 0; i < of.length; i++) {
            if (!Float.isFinite(of[i])) {
              throw new SecateurException(
                  criterion.name() + " of " + layer + ", filter " + i + ": not a finite number");
            }
          }
        });
    return new Importance(criterion.name(), scores);
  }
}
