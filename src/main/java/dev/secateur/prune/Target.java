package dev.secateur.prune;

import dev.secateur.SettingException;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.ParameterShapes;
import java.util.List;
import java.util.Locale;

/**
 * A size that a network should come down to.
 *
 * @param value below 1 a part of the original's, else an amount
 */
public record Target(Kind kind, double value) {

  /** What is counted. */
  public enum Kind {
    MACS("MACs"),
    PARAMS("parameters"),
    /** All parameters as F32, running statistics and normalisation included. */
    SIZE("bytes");

    private final String unit;

    Kind(String unit) {
      this.unit = unit;
    }

    long of(Graph graph) {
      return switch (this) {
        case MACS -> Cost.of(graph).macs();
        case PARAMS -> Cost.of(graph).parameters();
        case SIZE ->
            ParameterShapes.of(graph).values().stream().mapToLong(s -> 4 * s.elements()).sum();
      };
    }
  }

  /** As a recipe's {@code stop} calls it. */
  public String name() {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  /** At most so many. */
  double limit(Graph original) {
    return value < 1 ? value * kind.of(original) : value;
  }

  public boolean reached(Graph original, Graph now) {
    return kind.of(now) <= limit(original);
  }

  /** Whether all are reached. */
  public static boolean reached(List<Target> targets, Graph original, Graph now) {
    return targets.stream().allMatch(t -> t.reached(original, now));
  }

  /** That it is out of reach, with the least that is not. */
  SettingException unreachable(Graph original, Graph least) {
    long before = kind.of(original);
    long after = kind.of(least);
    return new SettingException(
        "stop." + name(),
        String.format(
            Locale.ROOT,
            "%s (%.0f %s) is out of reach: with all removed that may go, %d of %d are left (%.3f)",
            value < 1 ? Double.toString(value) : String.format(Locale.ROOT, "%.0f", value),
            Math.floor(limit(original)),
            kind.unit,
            after,
            before,
            (double) after / before));
  }
}
