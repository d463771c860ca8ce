package dev.secateur.cli;

import dev.secateur.bench.Benchmark;
import dev.secateur.bench.Energy;
import dev.secateur.bench.Profile;
import dev.secateur.bench.Setting;
import dev.secateur.bench.WholeEvaluation;
import dev.secateur.bench.WholeNetwork;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.data.Unreadable;
import dev.secateur.device.Device;
import dev.secateur.device.Precision;
import dev.secateur.io.Models;
import dev.secateur.nn.Network;
import dev.secateur.tensor.Shape;
import dev.secateur.train.Evaluator;
import dev.secateur.util.Cleanup;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

@Command(
    name = "bench",
    description = "Times models in turn; the first is the one to compare with.",
    customSynopsis = "secateur bench MODEL... [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur bench resnet20.sct run/model.sct --batch 1,32,256",
      "  secateur bench a.onnx b.sct --engine secateur,onnxruntime --runs 100",
      "  secateur bench resnet20.sct run/model.sct --batch 8 --profile --device cuda --math fp16"
    })
final class BenchCommand extends BaseCommand.OnDevice {

  @ArgGroup(validate = false, heading = ModelOptions.HEADING, order = 1)
  private OnnxArguments onnx = new OnnxArguments();

  @Parameters(arity = "1..*", paramLabel = "MODEL", description = "model files (.sct, .onnx)")
  private List<Path> files;

  @ArgGroup(validate = false, heading = "%nTiming:%n", order = 2)
  private Timed timed = new Timed();

  private static final class Timed {
    @Option(
        names = "--batch",
        paramLabel = "N",
        split = ",",
        converter = Converters.Count.class,
        description = "images at once, one or more; default 1,32")
    private List<Integer> batches = List.of(1, 32);

    @Option(
        names = "--runs",
        paramLabel = "N",
        converter = Converters.Count.class,
        description = "timed batches of each model; default 50")
    private int runs = 50;

    @Option(
        names = "--train",
        description = "time whole training steps (forward, backward, SGD) instead of inference")
    private boolean train;

    @Option(
        names = "--engine",
        paramLabel = "NAME",
        split = ",",
        description = {
          "secateur, onnxruntime (on the CPU, the same network as ONNX), or both;",
          "default secateur"
        })
    private List<Benchmark.Engine> engines = List.of(Benchmark.Engine.SECATEUR);

    @Option(
        names = "--profile",
        description = {
          "also time each layer: MACs, bytes moved, share of the time, and, for several models,",
          "which layers got faster"
        })
    private boolean profile;

    @Option(
        names = "--energy",
        description = {
          "also measure millijoules an image, where NVML (NVIDIA's driver) tells them;",
          "takes 2 s or more for each model, batch and type"
        })
    private boolean energy;

    @Option(
        names = "--data",
        paramLabel = "KIND:DIR",
        description = "also measure top-1 on this test split: " + DataSets.KINDS)
    private String data;
  }

  @Override
  public Integer call() throws IOException {
    if (timed.train && timed.engines.contains(Benchmark.Engine.ONNXRUNTIME)) {
      throw new ParameterException(
          spec.commandLine(), "--train --engine onnxruntime: ONNX Runtime does not train");
    }
    if (timed.train && timed.profile) {
      throw new ParameterException(
          spec.commandLine(), "--train --profile: layers are timed for inference only");
    }
    List<Benchmark.Entry> entries = new ArrayList<>();
    for (Path f : files) {
      entries.add(new Benchmark.Entry(f, onnx.open(f, this::warn)));
    }
    for (Benchmark.Entry e : entries) {
      if (Models.carries(e.model()) && timed.engines.contains(Benchmark.Engine.SECATEUR)) {
        warn(
            e.file()
                + ": secateur times the layers; what is carried along runs with them in ONNX"
                + " Runtime only (--engine onnxruntime)");
      }
    }
    String math =
        device.precisions().stream().map(DeviceOptions::math).collect(Collectors.joining(","));
    Map<String, Object> json = new LinkedHashMap<>();
    StringBuilder text = new StringBuilder();
    List<Benchmark.Row> rows;
    try (Cleanup devices = new Cleanup()) {
      List<Setting> settings = new ArrayList<>();
      for (Precision p : device.precisions()) {
        Device opened = device.open(spec, p);
        devices.add(opened::close);
        settings.add(new Setting(opened, DeviceOptions.math(p)));
      }
      Device first = settings.get(0).device();
      json.put("device", first.description());
      json.put("versions", first.versions());
      json.put("math", math);
      json.put("training", timed.train);
      json.put("runs", timed.runs);
      Map<String, Double> top1 = accuracies(first, entries);
      json.put("top1", top1);
      rows =
          Benchmark.run(settings, entries, timed.engines, timed.batches, timed.runs, timed.train);
      json.put("rows", rows);
      json.put("steady", rows.stream().noneMatch(Benchmark.Row::unsteady));
      text.append(first.description()).append(", ").append(math).append('\n');
      text.append(BenchText.rows(rows, top1));
      if (timed.energy) {
        Energy.Result result = Energy.measure(settings, entries, timed.batches, timed.train);
        json.put("energy", result.uses());
        json.put("energyProblem", result.problem());
        text.append(BenchText.energy(result));
      }
      if (timed.profile) {
        List<Profile.Result> results = Profile.run(settings, entries, timed.batches, timed.runs);
        json.put("profile", results);
        text.append(BenchText.profile(results));
        Map<String, Map<String, Integer>> fallbacks = new LinkedHashMap<>();
        settings.forEach(at -> fallbacks.put(at.math(), at.device().fallbacks()));
        json.put("fallbacks", fallbacks);
        text.append(BenchText.fallbacks(fallbacks));
      }
    }
    print(json, text::toString);
    if (rows.stream().anyMatch(Benchmark.Row::unsteady)) {
      warn(
          "quartiles are far apart (over "
              + (int) (100 * Benchmark.UNSTEADY)
              + " % of the median): other programs kept the machine busy, so do not rely on this");
    }
    return 0;
  }

  private Map<String, Double> accuracies(Device device, List<Benchmark.Entry> entries)
      throws IOException {
    Map<String, Double> out = new LinkedHashMap<>();
    if (timed.data != null) {
      Shape wanted = DataOptions.imageShape(entries.get(0).model().graph());
      Unreadable left = new Unreadable(false, this::warn);
      Dataset test = DataSets.open(timed.data, Split.TEST, Optional.of(wanted), left);
      for (Benchmark.Entry e : entries) {
        if (Models.carries(e.model())) {
          try (WholeNetwork net = new WholeNetwork(e.model(), WholeNetwork.BATCH)) {
            out.put(e.file().toString(), WholeEvaluation.classes(net, test, progress()).top1());
          }
          continue;
        }
        try (Network net = new Network(device, e.model())) {
          out.put(e.file().toString(), Evaluator.evaluate(net, test, 128, progress()).top1());
        }
      }
    }
    return out;
  }
}
