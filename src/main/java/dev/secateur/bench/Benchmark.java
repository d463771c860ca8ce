package dev.secateur.bench;

import dev.secateur.device.Device;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.OnnxExportOptions;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import dev.secateur.util.Cleanup;
import dev.secateur.util.Folders;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Times networks side by side, by one engine or several. */
public final class Benchmark {
  /** The middle half of the times may spread by this part of the median. */
  public static final double UNSTEADY = 0.3;

  private Benchmark() {}

  /** What computes. */
  public enum Engine {
    SECATEUR,
    ONNXRUNTIME;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** A network and the file it came from. */
  public record Entry(Path file, Model model) {}

  /**
   * One measured cell, as bench --json and experiments write it: the components are its fields.
   *
   * @param math what the network computes in; ONNX Runtime always in fp32
   * @param milliseconds median a batch
   * @param low95 lower end of the median's 95 % interval
   * @param high95 its upper end
   * @param speedup median of the first network's time by this one's, turn by turn, same engine and
   *     precision
   * @param speedupLow95 lower end of its 95 % interval
   * @param speedupHigh95 upper end
   * @param macsRatio the first network's MACs by this one's: the speedup in theory
   * @param engineRatio Secateur's time on the same network and batch, in the first precision, by
   *     ONNX Runtime's; 1 for ours
   * @param mathSpeedup how many times faster than the same network in the first precision; 1 for
   *     ONNX Runtime
   * @param peakBytes {@link Contender#peakBytes}; -1 where unknown
   */
  public record Row(
      String model,
      String engine,
      String math,
      int batch,
      long parameters,
      long macs,
      double milliseconds,
      double low95,
      double high95,
      double lowerQuartile,
      double upperQuartile,
      double imagesPerSecond,
      double speedup,
      double speedupLow95,
      double speedupHigh95,
      double macsRatio,
      double engineRatio,
      double mathSpeedup,
      long peakBytes) {

    /** Whether something else kept the machine busy: the middle half spreads too far. */
    public boolean unsteady() {
      return upperQuartile - lowerQuartile > UNSTEADY * milliseconds;
    }
  }

  /** A contender and what it is. */
  private record Cell(Entry entry, Engine engine, Setting setting, Contender contender) {}

  /**
   * @param settings our device in one precision or several
   * @param train whole training steps instead of inference; ours only
   * @param runs timed batches of each
   */
  public static List<Row> run(
      List<Setting> settings,
      List<Entry> entries,
      List<Engine> engines,
      List<Integer> batches,
      int runs,
      boolean train)
      throws IOException {
    Path folder = Files.createTempDirectory("secateur-bench");
    try {
      List<Path> onnx = new ArrayList<>();
      for (int i = 0; i < entries.size() && engines.contains(Engine.ONNXRUNTIME); i++) {
        Path given = entries.get(i).file();
        boolean ready = given.toString().endsWith(".onnx");
        Path file = ready ? given : folder.resolve(i + ".onnx");
        if (!ready) {
          Models.exportOnnx(entries.get(i).model(), file, OnnxExportOptions.ANY_BATCH);
        }
        onnx.add(file);
      }
      List<Row> rows = new ArrayList<>();
      for (int batch : batches) {
        rows.addAll(rows(settings, entries, engines, onnx, batch, runs, train));
      }
      return rows;
    } finally {
      Folders.delete(folder);
    }
  }

  /**
   * Times forward passes of networks on one device, the first the one to compare with.
   *
   * @return one row a network
   */
  public static List<Row> inference(Device device, List<Model> models, int batch, int runs)
      throws IOException {
    List<Entry> entries = models.stream().map(m -> new Entry(Path.of("network"), m)).toList();
    Setting own = new Setting(device, "as opened");
    return run(List.of(own), entries, List.of(Engine.SECATEUR), List.of(batch), runs, false);
  }

  private static List<Row> rows(
      List<Setting> settings,
      List<Entry> entries,
      List<Engine> engines,
      List<Path> onnx,
      int batch,
      int runs,
      boolean train) {
    try (Cleanup closers = new Cleanup()) {
      List<Cell> cells = new ArrayList<>();
      for (int i = 0; i < entries.size(); i++) {
        for (Engine e : engines) {
          boolean own = e == Engine.SECATEUR;
          for (Setting s : own ? settings : settings.subList(0, 1)) {
            Model m = entries.get(i).model();
            Contender c =
                !own
                    ? new OnnxRuntimeContender(onnx.get(i), batch)
                    : train
                        ? OwnContender.training(s.device(), m, batch)
                        : OwnContender.inference(s.device(), m, batch);
            closers.add(c::close);
            cells.add(new Cell(entries.get(i), e, s, c));
          }
        }
      }
      List<Latency.Timing> times =
          Latency.measure(cells.stream().map(Cell::contender).toList(), runs);
      List<Row> rows = new ArrayList<>();
      for (int i = 0; i < times.size(); i++) {
        rows.add(row(cells, times, i, batch, settings.get(0)));
      }
      return rows;
    }
  }

  private static Row row(
      List<Cell> cells, List<Latency.Timing> times, int index, int batch, Setting first) {
    Cell cell = cells.get(index);
    boolean own = cell.engine() == Engine.SECATEUR;
    Cost cost = Cost.of(cell.entry().model().graph());
    Latency.Timing t = times.get(index);
    Interval interval = t.interval();
    Cell before = cells.get(0);
    Latency.Timing base =
        times.get(find(cells, before.entry(), cell.engine(), cell.setting()).orElseThrow());
    Interval speedup = t.speedup(base);
    double byOurs =
        find(cells, cell.entry(), Engine.SECATEUR, first)
            .map(i -> t.speedup(times.get(i)).median())
            .orElse(1.0);
    return new Row(
        cell.entry().file().toString(),
        cell.contender().engine(),
        own ? cell.setting().math() : "fp32",
        batch,
        cost.parameters(),
        cost.macs(),
        interval.median(),
        interval.low95(),
        interval.high95(),
        t.quantile(0.25),
        t.quantile(0.75),
        batch / interval.median() * 1000,
        speedup.median(),
        speedup.low95(),
        speedup.high95(),
        (double) Cost.of(before.entry().model().graph()).macs() / cost.macs(),
        own ? 1 : byOurs,
        own ? byOurs : 1,
        cell.contender().peakBytes());
  }

  private static Optional<Integer> find(
      List<Cell> cells, Entry entry, Engine engine, Setting setting) {
    for (int i = 0; i < cells.size(); i++) {
      Cell c = cells.get(i);
      if (c.entry() == entry && c.engine() == engine && c.setting() == setting) {
        return Optional.of(i);
      }
    }
    return Optional.empty();
  }
}
