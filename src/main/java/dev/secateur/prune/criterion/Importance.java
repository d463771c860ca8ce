package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import dev.secateur.nn.Network;
import dev.secateur.train.Evaluator;
import java.util.LinkedHashMap;
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
   * The same for a network that has some filters more, which matter nothing.
   *
   * @param dead ascending indices among all, by convolution
   */
  public Importance with(Map<String, int[]> dead) {
    Map<String, float[]> out = new LinkedHashMap<>(byFilter);
    dead.forEach(
        (layer, gone) -> {
          float[] some = byFilter.get(layer);
          float[] all = new float[some.length + gone.length];
          for (int f = 0, g = 0; f < all.length; f++) {
            boolean missing = g < gone.length && gone[g] == f;
            all[f] = missing ? 0 : some[f - g];
            g += missing ? 1 : 0;
          }
          out.put(layer, all);
        });
    return new Importance(criterion, out);
  }

  /** The other way round: of a network that lacks some filters. */
  public Importance without(Map<String, int[]> dead) {
    Map<String, float[]> out = new LinkedHashMap<>(byFilter);
    dead.forEach(
        (layer, gone) -> {
          float[] all = byFilter.get(layer);
          float[] some = new float[all.length - gone.length];
          for (int f = 0, g = 0; f < all.length; f++) {
            if (g < gone.length && gone[g] == f) {
              g++;
            } else {
              some[f - g] = all[f];
            }
          }
          out.put(layer, some);
        });
    return new Importance(criterion, out);
  }

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
