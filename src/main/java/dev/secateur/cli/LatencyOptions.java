package dev.secateur.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.bench.Benchmark;
import dev.secateur.device.Device;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.prune.LatencyGoal;
import dev.secateur.prune.LatencyTable;
import java.io.IOException;
import java.nio.file.Path;
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
   * Latencies by the table and as measured, milliseconds a batch.
   *
   * @param target part of the original's time
   * @param predicted part of the original's time by the table
   * @param measured median ratio of the two networks' times, in turn
   * @param low95 lower end of its 95 % interval
   * @param high95 upper end
   * @param reached whether the measured ratio is not above the target
   * @param surely whether the whole interval is on that side of the target
   */
  record Outcome(
      int batch,
      double target,
      double predicted,
      double measured,
      double low95,
      double high95,
      double originalMilliseconds,
      double milliseconds,
      boolean reached,
      boolean surely) {

    String text() {
      return Text.format(
          "latency at batch %d: %.3f of the original's (95 %% %.3f-%.3f; %.4g -> %.4g ms), by the"
              + " table %.3f; target %.3f %s",
          batch,
          measured,
          low95,
          high95,
          originalMilliseconds,
          milliseconds,
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
        t -> new LatencyGoal(t.value(), t.milliseconds(), LatencyTable.of(device, batch)));
  }

  void record(ObjectNode config) {
    target.ifPresent(
        t -> {
          config.put("targetLatency", t.value() + (t.milliseconds() ? "ms" : ""));
          config.put("latencyBatch", batch);
        });
  }

  /** Times both networks in turn. */
  Outcome measure(Device device, LatencyGoal goal, Model original, Model pruned)
      throws IOException {
    List<Benchmark.Row> rows =
        Benchmark.run(
            device,
            List.of(
                new Benchmark.Entry(Path.of("original"), original),
                new Benchmark.Entry(Path.of("pruned"), pruned)),
            List.of(Benchmark.Engine.SECATEUR),
            List.of(batch),
            RUNS,
            false);
    Benchmark.Row before = rows.get(0);
    Benchmark.Row after = rows.get(1);
    Graph graph = original.graph();
    double part = goal.milliseconds() ? goal.value() / before.milliseconds() : goal.value();
    double ratio = 1 / after.speedup();
    double low = 1 / after.speedupHigh95();
    double high = 1 / after.speedupLow95();
    return new Outcome(
        batch,
        part,
        goal.predicted(pruned.graph()) / goal.predicted(graph),
        ratio,
        low,
        high,
        before.milliseconds(),
        after.milliseconds(),
        ratio <= part,
        high <= part || low > part);
  }
}
