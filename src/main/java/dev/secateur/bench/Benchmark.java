package dev.secateur.bench;

import dev.secateur.device.Cleanup;
import dev.secateur.device.Device;
import dev.secateur.io.Models;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Times networks side by side, by one engine or several. */
public final class Benchmark {
  /** The middle half of the times may spread by this part of the median. */
  public static final double UNSTEADY = 0.3;

  private Benchmark() {}

  /** What computes. */
  public enum Engine {
    SECATEUR,
    ONNXRUNTIME
  }

  /** A network and the file it came from. */
  public record Entry(Path file, Model model) {}

  /**
   * One measured cell.
   *
   * @param milliseconds median a batch
   * @param low95 lower end of the median's 95 % interval
   * @param high95 its upper end
   * @param speedup median of the first network's time by this one's, turn by turn, same engine
   * @param speedupLow95 lower end of its 95 % interval
   * @param speedupHigh95 upper end
   * @param macsRatio the first network's MACs by this one's: the speedup in theory
   * @param engineRatio Secateur's time on the same network and batch by this one's; 1 for itself
   * @param deviceBytes -1 where unknown
   */
  public record Row(
      String model,
      String engine,
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
      long deviceBytes) {

    /** Whether something else kept the machine busy: the middle half spreads too far. */
    public boolean unsteady() {
      return upperQuartile - lowerQuartile > UNSTEADY * milliseconds;
    }
  }

  /**
   * @param train whole training steps instead of inference; ours only
   * @param runs timed batches of each
   */
  public static List<Row> run(
      Device device,
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
          Models.exportOnnx(entries.get(i).model(), file);
        }
        onnx.add(file);
      }
      List<Row> rows = new ArrayList<>();
      for (int batch : batches) {
        rows.addAll(rows(device, entries, engines, onnx, batch, runs, train));
      }
      return rows;
    } finally {
      delete(folder);
    }
  }

  private static List<Row> rows(
      Device device,
      List<Entry> entries,
      List<Engine> engines,
      List<Path> onnx,
      int batch,
      int runs,
      boolean train) {
    List<Contender> contenders = new ArrayList<>();
    try (Cleanup closers = new Cleanup()) {
      for (int i = 0; i < entries.size(); i++) {
        for (Engine e : engines) {
          Model m = entries.get(i).model();
          Contender c =
              e == Engine.ONNXRUNTIME
                  ? new OnnxRuntimeContender(onnx.get(i), batch)
                  : train
                      ? OwnContender.training(device, m, batch)
                      : OwnContender.inference(device, m, batch);
          closers.add(c::close);
          contenders.add(c);
        }
      }
      List<Latency.Timing> times = Latency.measure(contenders, runs);
      List<Row> rows = new ArrayList<>();
      long first = Cost.of(entries.get(0).model().graph()).macs();
      int own = engines.indexOf(Engine.SECATEUR);
      for (int i = 0; i < times.size(); i++) {
        int engine = i % engines.size();
        Entry entry = entries.get(i / engines.size());
        Cost cost = Cost.of(entry.model().graph());
        Latency.Timing t = times.get(i);
        double[] interval = t.interval();
        double[] speedup = t.speedup(times.get(engine));
        rows.add(
            new Row(
                entry.file().toString(),
                contenders.get(i).engine(),
                batch,
                cost.parameters(),
                cost.macs(),
                t.median(),
                interval[0],
                interval[1],
                t.quantile(0.25),
                t.quantile(0.75),
                batch / t.median() * 1000,
                speedup[0],
                speedup[1],
                speedup[2],
                (double) first / cost.macs(),
                own < 0 ? 1 : t.speedup(times.get(i - engine + own))[0],
                contenders.get(i).deviceBytes()));
      }
      return rows;
    }
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path p : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(p);
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
