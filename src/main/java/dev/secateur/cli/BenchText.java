package dev.secateur.cli;

import dev.secateur.bench.Benchmark;
import dev.secateur.bench.Energy;
import dev.secateur.bench.Profile;
import dev.secateur.util.Numbers;
import dev.secateur.util.Table;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What {@code bench} found, as tables. */
final class BenchText {
  private BenchText() {}

  static String rows(List<Benchmark.Row> rows, Map<String, Double> top1) {
    boolean engines = several(rows.stream().map(Benchmark.Row::engine).toList());
    boolean maths = several(rows.stream().map(Benchmark.Row::math).toList());
    List<String> head = new ArrayList<>(List.of("model", "engine"));
    if (maths) {
      head.add("math");
    }
    head.addAll(List.of("top-1 %", "params", "MACs", "batch", "ms median", "95 % interval"));
    head.addAll(List.of("images/s", "speedup", "95 %", "by MACs"));
    if (maths) {
      head.add("by math");
    }
    head.add(engines ? "/secateur" : "peak MB");
    Table table = new Table(head);
    for (Benchmark.Row r : rows) {
      List<String> line = new ArrayList<>(List.of(r.model(), r.engine()));
      if (maths) {
        line.add(r.math());
      }
      line.add(top1.containsKey(r.model()) ? Numbers.format("%.2f", top1.get(r.model())) : "");
      line.add(Numbers.count(r.parameters()));
      line.add(Numbers.count(r.macs()));
      line.add(Numbers.format("%d", r.batch()));
      line.add(Numbers.format("%.3f", r.milliseconds()));
      line.add(Numbers.format("%.3f-%.3f", r.low95(), r.high95()));
      line.add(Numbers.format("%.0f", r.imagesPerSecond()));
      line.add(times(r.speedup()));
      line.add(Numbers.format("%.2f-%.2f", r.speedupLow95(), r.speedupHigh95()));
      line.add(times(r.macsRatio()));
      if (maths) {
        line.add(times(r.mathSpeedup()));
      }
      line.add(engines ? times(r.engineRatio()) : Numbers.format("%.1f", r.peakBytes() / 1e6));
      table.row(line);
    }
    return table.text();
  }

  static String energy(Energy.Result result) {
    String problem =
        result.problem().isEmpty() ? "" : "no energy: " + result.problem() + System.lineSeparator();
    if (result.uses().isEmpty()) {
      return problem;
    }
    Table table =
        new Table("model", "math", "batch", "mJ/image", "lowest-highest", "watts", "from");
    for (Energy.Use u : result.uses()) {
      table.row(
          List.of(
              u.model(),
              u.math(),
              Numbers.format("%d", u.batch()),
              Numbers.format("%.4f", u.millijoulesPerImage()),
              Numbers.format("%.4f-%.4f", u.low(), u.high()),
              Numbers.format("%.0f", u.watts()),
              u.source()));
    }
    return System.lineSeparator() + table.text() + problem;
  }

  static String profile(List<Profile.Result> results) {
    StringBuilder out = new StringBuilder();
    for (Profile.Result r : results) {
      out.append(layers(r));
      if (!r.gains().isEmpty()) {
        out.append(gains(r));
      }
    }
    return out.toString();
  }

  /** By what was computed in, what a device did otherwise; nothing where it did all as asked. */
  static String fallbacks(Map<String, Map<String, Integer>> all) {
    StringBuilder out = new StringBuilder();
    all.forEach(
        (math, kinds) ->
            kinds.forEach(
                (kind, n) ->
                    out.append(
                        Numbers.format(
                            "%s: %s (%d %s)%n", math, kind, n, n == 1 ? "time" : "times"))));
    return out.toString();
  }

  private static String layers(Profile.Result r) {
    Table table =
        new Table(
            "layer",
            "kernel",
            "output",
            "MACs",
            "MB",
            "FLOP/byte",
            "bound by",
            "ms",
            "share",
            "GFLOP/s",
            "of roof");
    for (Profile.Layer l : r.layers()) {
      table.row(
          List.of(
              l.layer(),
              l.kernel(),
              l.output(),
              l.macs() == 0 ? "" : Numbers.count(l.macs()),
              Numbers.format("%.2f", l.bytes() / 1e6),
              l.macs() == 0 ? "" : Numbers.format("%.1f", l.intensity()),
              l.memoryBound() ? "memory" : "compute",
              Numbers.format("%.4f", l.milliseconds()),
              Numbers.format("%.1f %%", 100 * l.share()),
              l.macs() == 0 ? "" : Numbers.format("%.1f", l.gflops()),
              Numbers.format("%.0f %%", 100 * l.ofRoof())));
    }
    double rest = r.batchMilliseconds() - r.passMilliseconds();
    String waited =
        r.waited() == 0
            ? ""
            : Numbers.format(
                "in %d passes the GPU waited for the host, so small layers look too slow%n",
                r.waited());
    return Numbers.format(
            "%n%s, batch %d, %s: %.1f GFLOP/s and %.1f GB/s at most (measured here), which meet at"
                + " %.1f FLOP/byte%n",
            r.model(),
            r.batch(),
            r.math(),
            r.roofline().gflops(),
            r.roofline().gigabytesPerSecond(),
            r.ridge())
        + table.text()
        + Numbers.format(
            "layers %.4f ms, a pass with time stamps %.4f ms (an empty one %.4f ms), a batch without"
                + " %.4f ms: %+.1f %% for launching and gaps%n",
            r.layersMilliseconds(),
            r.passMilliseconds(),
            r.stampMilliseconds(),
            r.batchMilliseconds(),
            100 * rest / r.passMilliseconds())
        + waited;
  }

  private static String gains(Profile.Result r) {
    Table table = new Table("layer", "by MACs", "by bytes", "measured", "ms before", "ms", "saved");
    for (Profile.Gain g : r.gains()) {
      table.row(
          List.of(
              g.layer(),
              times(g.byMacs()),
              times(g.byBytes()),
              times(g.measured()),
              Numbers.format("%.4f", g.millisecondsBefore()),
              Numbers.format("%.4f", g.milliseconds()),
              Numbers.format("%.4f", g.millisecondsBefore() - g.milliseconds())));
    }
    return Numbers.format(
            "%n%s against the first model, batch %d, %s%n", r.model(), r.batch(), r.math())
        + table.text()
        + Numbers.format(
            "by MACs %s; %s if each layer took less time as it has fewer MACs and the others as"
                + " much as before; measured %s (sum of layers), %s (whole batch)%n",
            times(r.byMacs()), times(r.byLayers()), times(r.measuredLayers()), times(r.measured()));
  }

  private static String times(double ratio) {
    return Numbers.format("%.2fx", ratio);
  }

  private static boolean several(List<String> values) {
    return values.stream().distinct().count() > 1;
  }
}
