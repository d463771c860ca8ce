package dev.secateur.prune;

import dev.secateur.nn.Graph;
import dev.secateur.prune.LatencyComparison.Measured;
import dev.secateur.prune.LatencyComparison.Stopwatch;
import java.util.Locale;
import java.util.Optional;

/**
 * How fast a network should become, by the measured times of its steps.
 *
 * @param value below 1 a part of the original's time, unless {@code milliseconds}
 * @param milliseconds whether the value is an amount
 * @param clock the device at the batch that counts
 * @param stopwatch times whole networks there, to correct what the steps' sum leaves out; empty:
 *     the table alone decides
 */
public record LatencyGoal(
    double value, boolean milliseconds, StepClock clock, Optional<Stopwatch> stopwatch) {
  static final String OPTION = "target-latency";

  /** At most so many milliseconds by the table. */
  public double limit(Graph original) {
    return milliseconds ? value : value * predicted(original);
  }

  /** Milliseconds by the table: the sum of the steps of inference. */
  public double predicted(Graph graph) {
    return LatencyModel.of(graph, clock);
  }

  /** The slow end of the measured interval as a part of the target: above 1 it may be missed. */
  double excess(Measured measured) {
    double slow = measured.high95() / measured.ratio();
    return slow * (milliseconds ? measured.milliseconds() : measured.ratio()) / value;
  }

  boolean reached(Graph original, Graph now) {
    return predicted(now) <= limit(original) * (1 + 1e-9);
  }

  /**
   * What the next iteration should come down to.
   *
   * @param rate part of the present time to save; 1: all at once
   */
  double step(Graph original, Graph now, double rate) {
    return Math.max(limit(original), (1 - rate) * predicted(now));
  }

  /** That it is out of reach, with the least that is not. */
  String unreachable(Graph original, Graph least) {
    double before = predicted(original);
    double after = predicted(least);
    return String.format(
        Locale.ROOT,
        "--%s %s (%.4g ms) is out of reach: with all removed that may go, %.4g of %.4g ms are left"
            + " (%.3f)",
        OPTION,
        value + (milliseconds ? "ms" : ""),
        limit(original),
        after,
        before,
        after / before);
  }
}
