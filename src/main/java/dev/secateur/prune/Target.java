package dev.secateur.prune;

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
    MACS("target-macs", "MACs"),
    PARAMETERS("target-params", "parameters"),
    /** All parameters as F32, running statistics and normalisation included. */
    BYTES("target-size", "bytes");

    private final String option;
    private final String unit;

    Kind(String option, String unit) {
      this.option = option;
      this.unit = unit;
    }

    long of(Graph graph) {
      return switch (this) {
        case MACS -> Cost.of(graph).macs();
        case PARAMETERS -> Cost.of(graph).parameters();
        case BYTES ->
            ParameterShapes.of(graph).values().stream().mapToLong(s -> 4 * s.elements()).sum();
      };
    }
  }

  /** Name of the option that sets it, without dashes. */
  public String option() {
    return kind.option;
  }

  /** At most so many. */
  double limit(Graph original) {
    return value < 1 ? value * kind.of(original) : value;
  }

  boolean reached(Graph original, Graph now) {
    return kind.of(now) <= limit(original);
  }

  /** Whether all are reached. */
  static boolean reached(List<Target> targets, Graph original, Graph now) {
    return targets.stream().allMatch(t -> t.reached(original, now));
  }

  /** That it is out of reach, with the least that is not. */
  String unreachable(Graph original, Graph least) {
    long before = kind.of(original);
    long after = kind.of(least);
    return String.format(
        Locale.ROOT,
        "--%s %s (%.0f %s) is out of reach: with all removed that may go, %d of %d are left (%.3f)",
        option(),
        value < 1 ? Double.toString(value) : String.format(Locale.ROOT, "%.0f", value),
        Math.floor(limit(original)),
        kind.unit,
        after,
        before,
        (double) after / before);
  }
}
