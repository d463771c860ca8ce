package dev.secateur.prune.criterion;

import dev.secateur.SecateurException;
import dev.secateur.nn.Graph;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/** All criteria by name. */
public final class Criteria {
  private Criteria() {}

  /**
   * What some criteria can be told.
   *
   * @param pls of PLS and VIP
   * @param seed of the random scores
   */
  public record Settings(PlsSettings pls, long seed) {}

  private static final Map<String, Function<Settings, Criterion>> ALL = new LinkedHashMap<>();

  static {
    ALL.put("pls-vip", s -> new PlsVip(s.pls()));
    ALL.put("l1", s -> new WeightCriterion("l1", Norms::l1, true));
    ALL.put("l1-sum", s -> new WeightCriterion("l1-sum", Norms::l1, false));
    ALL.put("l2", s -> new WeightCriterion("l2", Norms::l2, true));
    ALL.put("fpgm", s -> new WeightCriterion("fpgm", GeometricMedian::distances, true));
    ALL.put("outgoing", s -> new Outgoing());
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

  /** What {@link #named} takes, in words. */
  public static final String EXPECTED =
      "one of " + String.join(", ", ALL.keySet()) + ", or a product such as pls-vip*l1";

  /** The names, the default first. */
  public static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /** Whether {@link #named} knows it. */
  public static boolean known(String name) {
    return List.of(name.split("\\*", -1)).stream().allMatch(ALL::containsKey);
  }

  /**
   * @param name one of {@link #names}, or several with {@code *} between them for the product of
   *     their scores
   * @throws SecateurException for another name
   */
  public static Criterion named(String name, Settings settings) {
    if (!known(name)) {
      throw new SecateurException("criterion '" + name + "': expected " + EXPECTED);
    }
    List<Criterion> factors =
        Stream.of(name.split("\\*")).map(n -> ALL.get(n).apply(settings)).toList();
    return factors.size() == 1 ? factors.get(0) : new Product(factors);
  }

  /** Uniform numbers for each filter of some layers. */
  public static Map<String, float[]> random(Graph graph, List<String> layers, long seed) {
    return new RandomScores(seed).draw(graph, layers);
  }
}
