package dev.secateur.prune;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** Which channel groups are compared with each other. */
public enum Ranking {
  /** All: one threshold for the network, as in the paper. */
  GLOBAL,

  /** Those of the same layers: every layer loses the same part of its filters. */
  LAYER,

  /**
   * Those in equal surroundings: the same operations write, pass on and read their channels (Fang
   * et al. 2024, Isomorphic Pruning). Each kind loses the same part.
   */
  ISOMORPHIC;

  /** As it is written, in lower case. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The order in which groups go: by importance itself, or by the part of those that they are
   * compared with that is not more important.
   *
   * @param importance one number a group
   */
  double[] order(ChannelGroups groups, double[] importance) {
    return switch (this) {
      case GLOBAL -> importance;
      case LAYER -> within(importance, groups::layersOf);
      case ISOMORPHIC -> within(importance, groups::surroundings);
    };
  }

  private static double[] within(double[] importance, IntFunction<Object> kind) {
    Map<Object, List<Integer>> kinds = new HashMap<>();
    IntStream.range(0, importance.length)
        .forEach(u -> kinds.computeIfAbsent(kind.apply(u), k -> new ArrayList<>()).add(u));
    double[] out = new double[importance.length];
    for (List<Integer> own : kinds.values()) {
      own.sort(Comparator.comparingDouble(u -> importance[u]));
      for (int i = 0; i < own.size(); i++) {
        out[own.get(i)] = (i + 1.0) / own.size();
      }
    }
    return out;
  }
}
