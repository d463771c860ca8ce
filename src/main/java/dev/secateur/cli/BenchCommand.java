package dev.secateur.cli;

import dev.secateur.bench.Latency;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.data.Unreadable;
import dev.secateur.device.Device;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.tensor.Shape;
import dev.secateur.train.Evaluator;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "bench",
    description = "Times models in turn; the first is the one to compare with.")
final class BenchCommand implements Callable<Integer> {
  private static final double UNSTEADY = 0.3;

  @Mixin private Common common;

  @Parameters(arity = "1..*", paramLabel = "MODEL", description = "model files (.sct)")
  private List<Path> files;

  @Option(
      names = "--batch",
      paramLabel = "N",
      split = ",",
      defaultValue = "1,32",
      converter = Converters.Count.class,
      description = "images at once, one or more; default ${DEFAULT-VALUE}")
  private List<Integer> batches;

  @Option(
      names = "--runs",
      paramLabel = "N",
      defaultValue = "50",
      converter = Converters.Count.class,
      description = "timed batches of each model; default ${DEFAULT-VALUE}")
  private int runs;

  @Option(
      names = "--train",
      description = "time whole training steps (forward, backward, SGD) instead of inference")
  private boolean train;

  @Option(
      names = "--data",
      paramLabel = "KIND:DIR",
      description = "also measure top-1 on this test split: " + DataSets.KINDS)
  private Optional<String> data;

  /** {@code top1} is -1 where no data was given. */
  private record Row(
      String model,
      double top1,
      long parameters,
      long macs,
      int batch,
      double milliseconds,
      double lowerQuartile,
      double upperQuartile,
      double imagesPerSecond,
      double speedup,
      double macsRatio) {
    /** Whether something else kept the machine busy: the middle half spreads too far. */
    boolean unsteady() {
      return upperQuartile - lowerQuartile > UNSTEADY * milliseconds;
    }
  }

  @Override
  public Integer call() throws IOException {
    List<Model> models = new ArrayList<>();
    for (Path f : files) {
      models.add(ModelFiles.open(f, Optional.empty(), Optional.empty()));
    }
    List<Row> rows = new ArrayList<>();
    String description;
    Optional<Dataset> test = Optional.empty();
    if (data.isPresent()) {
      Shape wanted = DataOptions.imageShape(models.get(0).graph());
      Unreadable left = new Unreadable(false, common::warn);
      test = Optional.of(DataSets.open(data.get(), Split.TEST, Optional.of(wanted), left));
    }
    try (Device device = common.openDevice()) {
      description = device.description();
      double[] top1 = new double[models.size()];
      for (int i = 0; i < top1.length; i++) {
        try (Network net = new Network(device, models.get(i))) {
          top1[i] =
              test.map(t -> Evaluator.evaluate(net, t, 128, common.progress()).top1()).orElse(-1.0);
        }
      }
      for (int batch : batches) {
        List<Latency.Timing> t =
            train
                ? Latency.measureTraining(device, models, batch, runs)
                : Latency.measure(device, models, batch, runs);
        double macs = Cost.of(models.get(0).graph()).macs();
        for (int i = 0; i < t.size(); i++) {
          double ms = t.get(i).median();
          Cost cost = Cost.of(models.get(i).graph());
          rows.add(
              new Row(
                  files.get(i).toString(),
                  top1[i],
                  cost.parameters(),
                  cost.macs(),
                  batch,
                  ms,
                  t.get(i).low(),
                  t.get(i).high(),
                  batch / ms * 1000,
                  t.get(0).median() / ms,
                  macs / cost.macs()));
        }
      }
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("device", description);
    json.put("runs", runs);
    json.put("rows", rows);
    json.put("steady", rows.stream().noneMatch(Row::unsteady));
    common.print(json, () -> description + "\n" + text(rows));
    if (rows.stream().anyMatch(Row::unsteady)) {
      common.warn(
          "quartiles are far apart (over "
              + (int) (100 * UNSTEADY)
              + " % of the median): other programs kept the machine busy, so do not rely on this");
    }
    return 0;
  }

  private static String text(List<Row> rows) {
    int width = Math.max(5, rows.stream().mapToInt(r -> r.model().length()).max().orElse(5));
    StringBuilder out = new StringBuilder();
    out.append(
        Text.format(
            "%-" + width + "s %7s %11s %9s %6s %10s %17s %9s %8s %6s%n",
            "model",
            "top-1 %",
            "parameters",
            "MACs",
            "batch",
            "ms median",
            "quartiles",
            "images/s",
            "speedup",
            "MACs"));
    for (Row r : rows) {
      out.append(
          Text.format(
              "%-" + width + "s %7s %11d %9s %6d %10.3f %8.3f-%8.3f %9.0f %7.2fx %5.2fx%n",
              r.model(),
              r.top1() < 0 ? "" : Text.format("%.2f", r.top1()),
              r.parameters(),
              Text.count(r.macs()),
              r.batch(),
              r.milliseconds(),
              r.lowerQuartile(),
              r.upperQuartile(),
              r.imagesPerSecond(),
              r.speedup(),
              r.macsRatio()));
    }
    return out.toString();
  }
}
