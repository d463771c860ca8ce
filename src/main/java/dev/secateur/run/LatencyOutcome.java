package dev.secateur.run;

import dev.secateur.bench.Benchmark;
import dev.secateur.device.Device;
import dev.secateur.nn.Model;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.latency.LatencyGoal;
import dev.secateur.prune.latency.LatencyLookupTable;
import dev.secateur.prune.latency.Measured;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Optional;

/**
 * {@code latency.json} of a run: latency by the lookup table and as measured.
 *
 * @param batch images at once
 * @param target part of the original's time
 * @param predicted part of the original's time by the table
 * @param reached whether the measured ratio is not above the target
 * @param surely whether its whole interval is on that side of the target
 */
public record LatencyOutcome(
    int batch,
    double target,
    double predicted,
    Measured measured,
    double originalMilliseconds,
    boolean reached,
    boolean surely) {
  private static final int RUNS = 100;

  /** The recipe's goal on a device; its table measures what it does not know. */
  public static Optional<LatencyGoal> goal(Device device, Recipe.Stop stop) {
    int batch = stop.latencyBatch();
    return stop.latency()
        .map(
            target ->
                new LatencyGoal(
                    target,
                    LatencyLookupTable.of(device, batch),
                    Optional.of((original, pruned) -> time(device, batch, original, pruned))));
  }

  /** Times both networks in turn and says how far the target is. */
  static LatencyOutcome measure(
      Device device, int batch, LatencyGoal goal, Model original, Model pruned) {
    List<Benchmark.Row> rows = rows(device, batch, original, pruned);
    Measured m = measured(rows.get(1));
    double before = rows.get(0).milliseconds();
    double value = goal.target().value();
    double part = goal.target().milliseconds() ? value / before : value;
    return new LatencyOutcome(
        batch,
        part,
        goal.predicted(pruned.graph()) / goal.predicted(original.graph()),
        m,
        before,
        m.ratio() <= part,
        m.high95() <= part || m.low95() > part);
  }

  /** Times both networks in turn. */
  public static Measured time(Device device, int batch, Model original, Model pruned) {
    return measured(rows(device, batch, original, pruned).get(1));
  }

  private static Measured measured(Benchmark.Row pruned) {
    return new Measured(
        1 / pruned.speedup(),
        1 / pruned.speedupHigh95(),
        1 / pruned.speedupLow95(),
        pruned.milliseconds());
  }

  private static List<Benchmark.Row> rows(Device device, int batch, Model original, Model pruned) {
    try {
      return Benchmark.inference(device, List.of(original, pruned), batch, RUNS);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
