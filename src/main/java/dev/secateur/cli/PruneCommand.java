package dev.secateur.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.io.Json;
import dev.secateur.nn.Model;
import dev.secateur.prune.IterationMetrics;
import dev.secateur.prune.PruneOptions;
import dev.secateur.prune.PruneRun;
import dev.secateur.train.TrainingOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.zip.CRC32;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
    name = "prune",
    description = {
      "Removes the filters of lowest VIP over all layers and fine-tunes, again and again.",
      "Writes a run directory: iter-NN/model.sct, summary.csv, run.json, and the result model.sct."
    })
final class PruneCommand implements Callable<Integer> {
  private static final int WITHOUT_LIMIT = 1000;

  @Mixin private Common common;
  @Mixin private ModelArgument model;
  @Mixin private ScoringOptions scoring;
  @Mixin private LearningOptions learning;

  @Option(
      names = "--rate",
      paramLabel = "R",
      defaultValue = "0.1",
      converter = Converters.OpenFraction.class,
      description = "part of the remaining prunable filters to remove each time; default 0.1")
  private double rate;

  @Option(
      names = "--iterations",
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "at most so many; default 1, or no limit with --target-macs or --max-drop")
  private Optional<Integer> iterations;

  @Option(
      names = "--target-macs",
      paramLabel = "F",
      converter = Converters.OpenFraction.class,
      description = "stop once the MACs are at most this part of the original's, such as 0.5")
  private Optional<Double> targetMacs;

  @Option(
      names = "--max-drop",
      paramLabel = "POINTS",
      converter = Converters.NotNegative.class,
      description = "stop before held-out top-1 falls by more than so many points")
  private Optional<Double> maxDrop;

  @Option(
      names = "--hold-out",
      paramLabel = "F",
      defaultValue = "0.1",
      converter = Converters.OpenFraction.class,
      description = "part of the training images kept for decisions; default ${DEFAULT-VALUE}")
  private double holdOut;

  @Option(
      names = "--finetune-epochs",
      paramLabel = "N",
      defaultValue = "1",
      converter = Converters.CountOrZero.class,
      description = "after each removal; default ${DEFAULT-VALUE}, 0 for none")
  private int epochs;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "DIR",
      description = "the run directory")
  private Path output;

  @Option(names = "--resume", description = "go on from the last whole iteration in DIR")
  private boolean resume;

  @Override
  public Integer call() throws IOException {
    Model m = model.open();
    DataOptions data = scoring.data();
    Dataset train = data.open(Split.TRAIN, m.graph(), common);
    boolean limited = targetMacs.isPresent() || maxDrop.isPresent();
    Optional<TrainingOptions> fineTuning =
        epochs == 0
            ? Optional.empty()
            : Optional.of(learning.options(epochs, 0.01, data.batchSize(), common.seed()));
    PruneOptions options =
        new PruneOptions(
            rate,
            iterations.orElse(limited ? WITHOUT_LIMIT : 1),
            targetMacs,
            maxDrop,
            holdOut,
            scoring.components(),
            scoring.pool(),
            scoring.samples(),
            data.batchSize(),
            fineTuning,
            common.seed());
    PruneRun.Result result;
    try (Device device = common.openDevice()) {
      result =
          PruneRun.prune(
              device,
              m,
              train,
              options,
              output,
              config(options, data, device.name()),
              resume,
              common.progress(),
              i -> common.note(line(i)));
    }
    IterationMetrics first = result.iterations().get(0);
    IterationMetrics chosen = result.iterations().get(result.chosen());
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("output", output.resolve("model.sct").toString());
    json.put("stoppedBy", result.stoppedBy());
    json.put("chosenIteration", result.chosen());
    json.put("iterations", result.iterations());
    common.print(
        json,
        () ->
            table(result.iterations())
                + Text.format(
                    "stopped by --%s; iteration %d: parameters %s, MACs %s, written to %s",
                    result.stoppedBy(),
                    result.chosen(),
                    Text.change(first.parameters(), chosen.parameters()),
                    Text.change(first.macs(), chosen.macs()),
                    output.resolve("model.sct")));
    return 0;
  }

  /** What makes this run this run: a resumed one must agree on it. */
  private ObjectNode config(PruneOptions o, DataOptions data, String device) throws IOException {
    CRC32 crc = new CRC32();
    crc.update(Files.readAllBytes(model.file()));
    ObjectNode c = Json.MAPPER.createObjectNode();
    c.put("model", model.file().toString());
    c.put("modelCrc32", crc.getValue());
    c.put("data", data.spec());
    c.put("device", device);
    c.put("math", common.math());
    c.put("secateur", Main.Version.text());
    c.put("rate", o.rate());
    c.put("iterations", o.iterations());
    o.targetMacs().ifPresent(t -> c.put("targetMacs", t));
    o.maxDrop().ifPresent(d -> c.put("maxDrop", d));
    c.put("holdOut", o.holdOut());
    c.put("components", o.components());
    c.put("pool", o.pool().name());
    c.put("samples", o.samples());
    c.put("batchSize", o.scoringBatch());
    c.put("seed", o.seed());
    o.fineTuning().ifPresent(t -> c.set("fineTuning", Json.MAPPER.valueToTree(t)));
    return c;
  }

  private static String line(IterationMetrics i) {
    return Text.format(
        "iteration %d: %d filters, %s parameters, %s MACs, held-out top-1 %.2f %% -> %.2f %%",
        i.iteration(),
        i.filters(),
        Text.count(i.parameters()),
        Text.count(i.macs()),
        i.afterPruning(),
        i.accuracy());
  }

  private static String table(List<IterationMetrics> all) {
    IterationMetrics first = all.get(0);
    StringBuilder out = new StringBuilder();
    out.append(
        Text.format(
            "%9s %8s %11s %9s %12s %9s %14s %12s%n",
            "iteration",
            "filters",
            "parameters",
            "change",
            "MACs",
            "change",
            "pruned top-1 %",
            "tuned top-1 %"));
    for (IterationMetrics i : all) {
      out.append(
          Text.format(
              "%9d %8d %11d %9s %12d %9s %14.2f %12.2f%n",
              i.iteration(),
              i.filters(),
              i.parameters(),
              i == first ? "" : Text.change(first.parameters(), i.parameters()),
              i.macs(),
              i == first ? "" : Text.change(first.macs(), i.macs()),
              i.afterPruning(),
              i.accuracy()));
    }
    return out.toString();
  }
}
