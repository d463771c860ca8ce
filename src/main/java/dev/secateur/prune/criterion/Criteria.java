package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** All criteria by name. */
public final class Criteria {
  private Criteria() {}

  /**
   * What some criteria can be told.
   *
   * @param components of PLS
   * @param seed of the random scores
   */
  public record Settings(int components, long seed) {}

  private static final Map<String, Function<Settings, Criterion>> ALL = new LinkedHashMap<>();

  static {
    ALL.put("pls-vip", s -> new PlsVip(s.components()));
    ALL.put("l1", s -> new WeightCriterion("l1", Norms::l1));
    ALL.put("l2", s -> new WeightCriterion("l2", Norms::l2));
    ALL.put("fpgm", s -> new WeightCriterion("fpgm", GeometricMedian::distances));
    ALL.put("bn-scale", s -> new BatchNormScale());
    ALL.put("taylor", s -> new Taylor());
    ALL.put("hrank", s -> new FeatureMapRank());
    ALL.put("inffs", s -> new FeatureCriterion("inffs", false, InfiniteSelection::scores));
    ALL.put("ilfs", s -> new InfiniteLatentSelection());
    ALL.put("fisher", s -> new FeatureCriterion("fisher", true, Fisher::scores));
    ALL.put("relief", s -> new Relief());
    ALL.put("cca", s -> new FeatureCriterion("cca", true, Cca::scores));
    ALL.put("lasso", s -> new FeatureCriterion("lasso", true, Lasso::scores));
    ALL.put("random", s -> new RandomScores(s.seed()));
  }

  /** The names, the default first. */
  public static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /**
   * @throws SecateurException for a name that is none of {@link #names}
   */
  public static Criterion named(String name, Settings settings) {
    if (!ALL.containsKey(name)) {
      throw new SecateurException(
          "criterion '" + name + "': expected one of " + String.join(", ", names()));
    }
    return ALL.get(name).apply(settings);
  }
}
