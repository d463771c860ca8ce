package dev.secateur.prune;

import dev.secateur.SecateurException;
import dev.secateur.nn.Network;
import dev.secateur.train.Evaluator;
import java.util.List;
import java.util.Map;

/** Scores the prunable filters of a network by a criterion. */
public final class Scorer {
  private Scorer() {}

  /**
   * @param layers convolutions to score, such as {@link Units#layers}
   * @throws SecateurException when there are none, the data does not fit or a score is not a finite
   *     number
   */
  public static Scores score(
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
    return new Scores(criterion.name(), scores);
  }
}
