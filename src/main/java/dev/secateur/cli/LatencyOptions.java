package dev.secateur.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.bench.Benchmark;
import dev.secateur.device.Device;
import dev.secateur.nn.Model;
import dev.secateur.prune.LatencyComparison.Measured;
import dev.secateur.prune.LatencyGoal;
import dev.secateur.prune.LatencyTable;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How fast the pruned network is to be. */
final class LatencyOptions {
  private static final int RUNS = 100;

  @Option(
      names = "--target-latency",
      paramLabel = "F|MSms",
      converter = Converters.LatencyTarget.class,
      description = {
        "remove what loses the least score for the milliseconds it saves on this device, until",
        "inference takes this part of the original's time, such as 0.6, or so long, such as",
        "0.8ms; --rate is then the part of the time that each iteration saves"
      })
  private Optional<Converters.Latency> target;

  @Option(
      names = {"--batch", "--latency-batch"},
      paramLabel = "N",
      defaultValue = "1",
      converter = Converters.Count.class,
      description = "images at once for --target-latency; default ${DEFAULT-VALUE}")
  private int batch;

  /**
   * Latency by the table and as measured.
   *
   * @param target part of the original's time
   * @param predicted part of the original's time by the table
   * @param reached whether the measured ratio is not above the target
   * @param surely whether its whole interval is on that side of the target
   */
  record Outcome(
      int batch,
      double target,
      double predicted,
      Measured measured,
      double originalMilliseconds,
      boolean reached,
      boolean surely) {

    String text() {
      return Text.format(
          "latency at batch %d: %.3f of the original's (95 %% %.3f-%.3f; %.4g -> %.4g ms), by the"
              + " table %.3f; target %.3f %s",
          batch,
          measured.ratio(),
          measured.low95(),
          measured.high95(),
          originalMilliseconds,
          measured.milliseconds(),
          predicted,
          target,
          (reached ? "reached" : "missed") + (surely ? "" : ", within the interval"));
    }
  }

  boolean given() {
    return target.isPresent();
  }

  /** The goal on a device; its table measures what it does not know. */
  Optional<LatencyGoal> goal(Device device) {
    return target.map(
        t ->
            new LatencyGoal(
                t.value(),
                t.milliseconds(),
                table(device),
                Optional.of((original, pruned) -> time(device, original, pruned))));
  }

  void record(ObjectNode config) {
    target.ifPresent(
        t -> {
          config.put("targetLatency", t.value() + (t.milliseconds() ? "ms" : ""));
          config.put("latencyBatch", batch);
        });
  }

  /** The target where it is given as a part of the original's time. */
  Optional<Double> part() {
    return target.filter(t -> !t.milliseconds()).map(Converters.Latency::value);
  }

  LatencyTable table(Device device) {
    return LatencyTable.of(device, batch);
  }

  /** Times both networks in turn and says how far the target is. */
  Outcome measure(Device device, LatencyGoal goal, Model original, Model pruned)
      throws IOException {
    List<Benchmark.Row> rows = rows(device, original, pruned);
    Measured m = measured(rows.get(1));
    double before = rows.get(0).milliseconds();
    double part = goal.milliseconds() ? goal.value() / before : goal.value();
    return new Outcome(
        batch,
        part,
        goal.predicted(pruned.graph()) / goal.predicted(original.graph()),
        m,
        before,
        m.ratio() <= part,
        m.high95() <= part || m.low95() > part);
  }

  /** Times both networks in turn. */
  Measured time(Device device, Model original, Model pruned) throws IOException {
    return measured(rows(device, original, pruned).get(1));
  }

  private static Measured measured(Benchmark.Row pruned) {
    return new Measured(
        1 / pruned.speedup(),
        1 / pruned.speedupHigh95(),
        1 / pruned.speedupLow95(),
        pruned.milliseconds());
  }

  private List<Benchmark.Row> rows(Device device, Model original, Model pruned) throws IOException {
    return Benchmark.inference(device, List.of(original, pruned), batch, RUNS);
  }
}
