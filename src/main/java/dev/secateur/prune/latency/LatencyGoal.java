package dev.secateur.prune.latency;

import dev.secateur.SettingException;
import dev.secateur.nn.Graph;
import dev.secateur.prune.Recipe;
import java.util.Locale;
import java.util.Optional;

/**
 * How fast a network should become, by the measured times of its steps.
 *
 * @param target a part of the original's time, or milliseconds
 * @param steps times of steps on the device, at the batch that counts
 * @param stopwatch times whole networks there, to correct what the steps' sum leaves out; empty:
 *     the lookup table alone decides
 */
public record LatencyGoal(Recipe.Latency target, StepLatency steps, Optional<Stopwatch> stopwatch) {

  /** At most so many milliseconds by the table. */
  public double limit(Graph original) {
    return target.milliseconds() ? target.value() : target.value() * predicted(original);
  }

  /** Milliseconds by the table: the sum of the steps of inference. */
  public double predicted(Graph graph) {
    return LatencyModel.of(graph, steps);
  }

  /** The slow end of the measured interval as a part of the target: above 1 it may be missed. */
  double excess(Measured measured) {
    double slow = measured.high95() / measured.ratio();
    return slow
        * (target.milliseconds() ? measured.milliseconds() : measured.ratio())
        / target.value();
  }

  public boolean reached(Graph original, Graph now) {
    return predicted(now) <= limit(original) * (1 + 1e-9);
  }

  /**
   * What the next iteration should come down to.
   *
   * @param ratio part of the present time to save; 1: all at once
   */
  double step(Graph original, Graph now, double ratio) {
    return Math.max(limit(original), (1 - ratio) * predicted(now));
  }

  /** That it is out of reach, with the least that is not. */
  SettingException unreachable(Graph original, Graph least) {
    double before = predicted(original);
    double after = predicted(least);
    return new SettingException(
        "stop.latency",
        String.format(
            Locale.ROOT,
            "%s (%.4g ms) is out of reach: with all removed that may go, %.4g of %.4g ms are left"
                + " (%.3f)",
            target.written(),
            limit(original),
            after,
            before,
            after / before));
  }
}
