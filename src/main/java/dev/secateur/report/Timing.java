package dev.secateur.report;

import dev.secateur.bench.Benchmark;
import dev.secateur.bench.Setting;
import dev.secateur.device.Device;
import dev.secateur.io.Models;
import dev.secateur.run.SavedRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Milliseconds a batch of a run's networks, measured in turn.
 *
 * @param device in words
 * @param math what it computed in
 * @param runs timed batches of each network
 * @param iterations whose networks were timed, 0 first
 * @param rows one for each of them
 */
public record Timing(
    String device,
    Map<String, String> versions,
    String math,
    int batch,
    int runs,
    List<Integer> iterations,
    List<Benchmark.Row> rows) {
  /** Networks held on the device at once. */
  private static final int MOST = 12;

  /** Times the iterations' networks, or of many the first, the result and some between. */
  public static Timing measure(Device device, SavedRun run, String math, int batch, int runs)
      throws IOException {
    List<Integer> iterations = chosen(run.iterations().size(), run.chosen());
    List<Benchmark.Entry> entries = new ArrayList<>();
    for (int i : iterations) {
      var file = run.iterations().get(i).model();
      entries.add(new Benchmark.Entry(file, Models.load(file)));
    }
    List<Benchmark.Row> rows =
        Benchmark.run(
            List.of(new Setting(device, math)),
            entries,
            List.of(Benchmark.Engine.SECATEUR),
            List.of(batch),
            runs,
            false);
    return new Timing(device.description(), device.versions(), math, batch, runs, iterations, rows);
  }

  private static List<Integer> chosen(int all, int result) {
    TreeSet<Integer> out = new TreeSet<>(List.of(0, result));
    int some = Math.min(all, MOST - 1);
    IntStream.range(0, some)
        .map(i -> some == 1 ? 0 : (int) Math.round(i * (all - 1.0) / (some - 1)))
        .forEach(out::add);
    return List.copyOf(out);
  }

  Optional<Benchmark.Row> of(int iteration) {
    int i = iterations.indexOf(iteration);
    return i < 0 ? Optional.empty() : Optional.of(rows.get(i));
  }

  boolean unsteady() {
    return rows.stream().anyMatch(Benchmark.Row::unsteady);
  }
}
