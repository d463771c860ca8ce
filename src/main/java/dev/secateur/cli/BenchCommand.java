package dev.secateur.cli;

import dev.secateur.bench.Latency;
import dev.secateur.device.Device;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
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
    description = "Times the forward pass of models in turn; the first is the one to compare with.")
final class BenchCommand implements Callable<Integer> {
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

  private record Row(
      String model,
      int batch,
      double milliseconds,
      double lowerQuartile,
      double upperQuartile,
      double imagesPerSecond,
      double speedup,
      double macsRatio) {}

  @Override
  public Integer call() throws IOException {
    List<Model> models = new ArrayList<>();
    for (Path f : files) {
      models.add(ModelFiles.open(f, Optional.empty(), Optional.empty()));
    }
    List<Row> rows = new ArrayList<>();
    String description;
    try (Device device = common.openDevice()) {
      description = device.description();
      for (int batch : batches) {
        List<Latency.Timing> t = Latency.measure(device, models, batch, runs);
        double macs = Cost.of(models.get(0).graph()).macs();
        for (int i = 0; i < t.size(); i++) {
          double ms = t.get(i).median();
          rows.add(
              new Row(
                  files.get(i).toString(),
                  batch,
                  ms,
                  t.get(i).low(),
                  t.get(i).high(),
                  batch / ms * 1000,
                  t.get(0).median() / ms,
                  macs / Cost.of(models.get(i).graph()).macs()));
        }
      }
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("device", description);
    json.put("rows", rows);
    common.print(json, () -> description + "\n" + text(rows));
    return 0;
  }

  private static String text(List<Row> rows) {
    int width = Math.max(5, rows.stream().mapToInt(r -> r.model().length()).max().orElse(5));
    StringBuilder out = new StringBuilder();
    out.append(
        Text.format(
            "%-" + width + "s %6s %10s %17s %10s %8s %10s%n",
            "model",
            "batch",
            "ms median",
            "quartiles",
            "images/s",
            "speedup",
            "MACs ratio"));
    for (Row r : rows) {
      out.append(
          Text.format(
              "%-" + width + "s %6d %10.3f %8.3f-%8.3f %10.0f %7.2fx %9.2fx%n",
              r.model(),
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
