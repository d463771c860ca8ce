package dev.secateur.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.io.AtomicFile;
import dev.secateur.io.Json;
import dev.secateur.nn.Model;
import dev.secateur.prune.Constraints;
import dev.secateur.prune.LatencyComparison;
import dev.secateur.prune.LatencyComparison.Cell;
import dev.secateur.prune.LatencyComparison.Result;
import dev.secateur.prune.LatencyVerdict;
import dev.secateur.train.TrainingOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
    name = "compare-latency",
    description = {
      "Prunes to one measured latency by plain scores, by scores rounded to the device's step, and",
      "by knapsacks of scores against milliseconds (that of --target-latency is the one of shares);",
      "fine-tunes each alike and compares test accuracy.",
      "The same command goes on with an interrupted comparison."
    })
final class CompareLatencyCommand implements Callable<Integer> {
  private static final int USUAL_STEP = 8;

  @Mixin private Common common;
  @Mixin private ModelArgument model;
  @Mixin private ScoringOptions scoring;
  @Mixin private SelectionOptions selection;
  @Mixin private LearningOptions learning;
  @Mixin private LatencyOptions latency;
  @Spec private CommandSpec spec;

  @Option(
      names = "--seeds",
      paramLabel = "N",
      split = ",",
      defaultValue = "1,2,3",
      description = "which images score and in which order they teach; default ${DEFAULT-VALUE}")
  private List<Long> seeds;

  @Option(
      names = "--tolerance",
      paramLabel = "F",
      defaultValue = "0.015",
      converter = Converters.OpenFraction.class,
      description = "part of the target by which a measured latency may miss it; default 0.015")
  private double tolerance;

  @Option(
      names = "--finetune-epochs",
      paramLabel = "N",
      defaultValue = "1",
      converter = Converters.CountOrZero.class,
      description = "default ${DEFAULT-VALUE}, 0 for none")
  private int epochs;

  @Option(
      names = "--finetune-samples",
      paramLabel = "N",
      defaultValue = "1000000000",
      converter = Converters.Count.class,
      description = "training images an epoch; default all")
  private int samples;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "DIR",
      description = "for cells/*.json, comparison.json and comparison.md")
  private Path output;

  @Override
  public Integer call() throws IOException {
    double target =
        latency
            .part()
            .orElseThrow(
                () ->
                    new ParameterException(
                        spec.commandLine(),
                        "--target-latency: expected a part of the original's time, such as 0.6"));
    Model m = model.open(common);
    DataOptions data = scoring.data();
    Dataset train = data.open(Split.TRAIN, m.graph(), common);
    Dataset test = data.open(Split.TEST, m.graph(), common);
    Constraints constraints = selection.constraints(m.graph());
    Optional<TrainingOptions> tuning =
        epochs == 0
            ? Optional.empty()
            : Optional.of(learning.options(epochs, 0.01, data.batchSize(), common.seed()));
    LatencyComparison.Settings settings =
        new LatencyComparison.Settings(
            selection.scope(),
            selection.groupScore(),
            constraints,
            constraints.roundTo() > 1 ? constraints.roundTo() : USUAL_STEP,
            scoring.criterion(common),
            scoring.pooling(),
            scoring.samples(),
            data.batchSize(),
            target,
            tolerance,
            tuning,
            samples);
    Result result;
    ObjectNode config;
    try (Device device = common.openDevice()) {
      config = config(settings, data, device);
      result =
          LatencyComparison.run(
              device,
              m,
              train,
              test,
              settings,
              seeds,
              latency.table(device),
              (original, pruned) -> latency.time(device, original, pruned),
              output,
              config,
              common.progress(),
              c -> common.note(line(c)));
    }
    LatencyVerdict verdict = new LatencyVerdict(result, 2 * tolerance);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("config", config);
    json.put("result", result);
    json.put("verdict", verdict.text());
    Json.write(output.resolve("comparison.json"), json);
    String text = verdict.table() + "\n" + verdict.text() + "\n";
    AtomicFile.write(output.resolve("comparison.md"), text);
    common.print(json, () -> text);
    return 0;
  }

  private ObjectNode config(LatencyComparison.Settings s, DataOptions data, Device device) {
    ObjectNode c = Json.MAPPER.createObjectNode();
    c.put("model", model.file().toString());
    c.put("data", data.spec());
    c.put("device", device.description());
    c.put("math", common.math());
    latency.record(c);
    c.put("tolerance", s.tolerance());
    c.put("scope", s.scope().name());
    c.put("groupScore", s.groupScore().name());
    c.set("constraints", Json.MAPPER.valueToTree(s.constraints()));
    c.put("roundTo", s.roundTo());
    c.put("criterion", s.criterion().name());
    c.put("components", scoring.components());
    c.put("pool", s.pooling().kind().name());
    c.put("features", s.pooling().place().name());
    c.put("samples", s.samples());
    c.put("batchSize", s.scoringBatch());
    s.tuning().ifPresent(t -> c.set("fineTuning", Json.MAPPER.valueToTree(t)));
    c.put("fineTuningSamples", s.tuningSamples());
    return c;
  }

  private static String line(Cell c) {
    return Text.format(
        "seed %d, %s: %.3f of the original's time (95 %% %.3f-%.3f), %s MACs, top-1 %.2f %% -> %.2f"
            + " %%",
        c.seed(),
        c.method().name().toLowerCase(Locale.ROOT),
        c.measured().ratio(),
        c.measured().low95(),
        c.measured().high95(),
        Text.count(c.macs()),
        c.pruned(),
        c.tuned());
  }
}
