package dev.secateur.cli;

import dev.secateur.bench.Benchmark;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.data.Unreadable;
import dev.secateur.device.Device;
import dev.secateur.io.onnx.OnnxOptions;
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
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
    name = "bench",
    description = "Times models in turn; the first is the one to compare with.")
final class BenchCommand implements Callable<Integer> {
  @Mixin private Common common;
  @Spec private CommandSpec spec;

  @Mixin private OnnxArguments onnx;

  @Parameters(arity = "1..*", paramLabel = "MODEL", description = "model files (.sct, .onnx)")
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
      names = "--engine",
      paramLabel = "NAME",
      split = ",",
      defaultValue = "secateur",
      description = {
        "secateur, onnxruntime (on the CPU, the same network as ONNX), or both;",
        "default ${DEFAULT-VALUE}"
      })
  private List<Benchmark.Engine> engines;

  @Option(
      names = "--data",
      paramLabel = "KIND:DIR",
      description = "also measure top-1 on this test split: " + DataSets.KINDS)
  private Optional<String> data;

  @Override
  public Integer call() throws IOException {
    if (train && engines.contains(Benchmark.Engine.ONNXRUNTIME)) {
      throw new ParameterException(
          spec.commandLine(), "--train --engine onnxruntime: ONNX Runtime does not train");
    }
    List<Benchmark.Entry> entries = new ArrayList<>();
    for (Path f : files) {
      OnnxOptions options = ModelFiles.isOnnx(f) ? onnx.options() : OnnxOptions.DEFAULT;
      entries.add(
          new Benchmark.Entry(
              f, ModelFiles.open(f, Optional.empty(), Optional.empty(), options, common)));
    }
    Map<String, Object> json = new LinkedHashMap<>();
    List<Benchmark.Row> rows;
    Map<String, Double> top1;
    try (Device device = common.openDevice()) {
      json.put("device", device.description());
      json.put("versions", device.versions());
      top1 = accuracies(device, entries);
      rows = Benchmark.run(device, entries, engines, batches, runs, train);
    }
    json.put("math", common.math());
    json.put("training", train);
    json.put("runs", runs);
    json.put("top1", top1);
    json.put("rows", rows);
    json.put("steady", rows.stream().noneMatch(Benchmark.Row::unsteady));
    common.print(json, () -> json.get("device") + ", " + common.math() + "\n" + text(rows, top1));
    if (rows.stream().anyMatch(Benchmark.Row::unsteady)) {
      common.warn(
          "quartiles are far apart (over "
              + (int) (100 * Benchmark.UNSTEADY)
              + " % of the median): other programs kept the machine busy, so do not rely on this");
    }
    return 0;
  }

  private Map<String, Double> accuracies(Device device, List<Benchmark.Entry> entries)
      throws IOException {
    Map<String, Double> out = new LinkedHashMap<>();
    if (data.isPresent()) {
      Shape wanted = DataOptions.imageShape(entries.get(0).model().graph());
      Unreadable left = new Unreadable(false, common::warn);
      Dataset test = DataSets.open(data.get(), Split.TEST, Optional.of(wanted), left);
      for (Benchmark.Entry e : entries) {
        try (Network net = new Network(device, e.model())) {
          out.put(
              e.file().toString(), Evaluator.evaluate(net, test, 128, common.progress()).top1());
        }
      }
    }
    return out;
  }

  private static String text(List<Benchmark.Row> rows, Map<String, Double> top1) {
    boolean several = rows.stream().map(Benchmark.Row::engine).distinct().count() > 1;
    int width = Math.max(5, rows.stream().mapToInt(r -> r.model().length()).max().orElse(5));
    StringBuilder out = new StringBuilder();
    out.append(
        Text.format(
            "%-" + width + "s %11s %7s %9s %9s %5s %9s %17s %9s %7s %11s %7s %9s%n",
            "model",
            "engine",
            "top-1 %",
            "params",
            "MACs",
            "batch",
            "ms median",
            "95 % interval",
            "images/s",
            "speedup",
            "95 %",
            "by MACs",
            several ? "/secateur" : "MB"));
    for (Benchmark.Row r : rows) {
      out.append(
          Text.format(
              "%-"
                  + width
                  + "s %11s %7s %9s %9s %5d %9.3f %8.3f-%8.3f %9.0f %6.2fx %5.2f-%5.2f"
                  + " %6.2fx %9s%n",
              r.model(),
              r.engine(),
              top1.containsKey(r.model()) ? Text.format("%.2f", top1.get(r.model())) : "",
              Text.count(r.parameters()),
              Text.count(r.macs()),
              r.batch(),
              r.milliseconds(),
              r.low95(),
              r.high95(),
              r.imagesPerSecond(),
              r.speedup(),
              r.speedupLow95(),
              r.speedupHigh95(),
              r.macsRatio(),
              several
                  ? Text.format("%.2fx", r.engineRatio())
                  : Text.format("%.1f", r.deviceBytes() / 1e6)));
    }
    return out.toString();
  }
}
