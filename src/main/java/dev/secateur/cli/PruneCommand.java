package dev.secateur.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.io.AtomicFile;
import dev.secateur.io.Checksums;
import dev.secateur.io.Json;
import dev.secateur.io.Models;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Model;
import dev.secateur.nn.Pooling;
import dev.secateur.prune.Constraints;
import dev.secateur.prune.IterationMetrics;
import dev.secateur.prune.LatencyGoal;
import dev.secateur.prune.PruneOptions;
import dev.secateur.prune.PruneRun;
import dev.secateur.prune.Scope;
import dev.secateur.prune.Target;
import dev.secateur.train.TrainingOptions;
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
import picocli.CommandLine.Spec;

@Command(
    name = "prune",
    description = {
      "Removes the filters of lowest score over all layers and fine-tunes, again and again.",
      "Writes a run directory: iter-NN/model.sct, summary.csv, run.json, and the result model.sct."
    })
final class PruneCommand implements Callable<Integer> {
  private static final int WITHOUT_LIMIT = 1000;
  private static final double USUAL_RATE = 0.1;

  @Mixin private Common common;
  @Mixin private ModelArgument model;
  @Mixin private ScoringOptions scoring;
  @Mixin private SelectionOptions selection;
  @Mixin private LearningOptions learning;
  @Mixin private LatencyOptions latency;
  @Spec private CommandSpec spec;

  @Option(
      names = "--rate",
      paramLabel = "R",
      converter = Converters.OpenFraction.class,
      description = {
        "part of the remaining prunable filters to remove each time; default 0.1, or with a",
        "target and --iterations 1 as much as reaches it"
      })
  private Optional<Double> rate;

  @Option(
      names = "--iterations",
      paramLabel = "N",
      converter = Converters.Count.class,
      description = "at most so many; default 1, or no limit with a target or --max-drop")
  private Optional<Integer> iterations;

  @Option(
      names = "--target-macs",
      paramLabel = "F|N",
      converter = Converters.Amount.class,
      description = {
        "stop once the MACs are at most this part of the original's, such as 0.5, or so many,",
        "such as 20M; with several targets, once all are reached"
      })
  private Optional<Double> targetMacs;

  @Option(
      names = "--target-params",
      paramLabel = "F|N",
      converter = Converters.Amount.class,
      description = "likewise for parameters, such as 0.5 or 100k")
  private Optional<Double> targetParameters;

  @Option(
      names = "--target-size",
      paramLabel = "F|BYTES",
      converter = Converters.Amount.class,
      description = "likewise for the parameters' bytes, such as 0.5 or 500k")
  private Optional<Double> targetSize;

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
    List<Target> targets = new ArrayList<>();
    targetMacs.ifPresent(v -> targets.add(new Target(Target.Kind.MACS, v)));
    targetParameters.ifPresent(v -> targets.add(new Target(Target.Kind.PARAMETERS, v)));
    targetSize.ifPresent(v -> targets.add(new Target(Target.Kind.BYTES, v)));
    if (latency.given() && !targets.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(),
          "--target-latency and --" + targets.get(0).option() + ": only one of them at a time");
    }
    Model m = model.open(common);
    DataOptions data = scoring.data();
    Dataset train = data.open(Split.TRAIN, m.graph(), common);
    boolean aimed = !targets.isEmpty() || latency.given();
    boolean limited = aimed || maxDrop.isPresent();
    boolean oneStep = aimed && iterations.equals(Optional.of(1));
    Optional<TrainingOptions> fineTuning =
        epochs == 0
            ? Optional.empty()
            : Optional.of(learning.options(epochs, 0.01, data.batchSize(), common.seed()));
    PruneOptions options =
        new PruneOptions(
            selection.scope(),
            selection.groupScore(),
            selection.constraints(m.graph()),
            rate.or(() -> oneStep ? Optional.empty() : Optional.of(USUAL_RATE)),
            iterations.orElse(limited ? WITHOUT_LIMIT : 1),
            targets,
            maxDrop,
            holdOut,
            scoring.criterion(common),
            scoring.pooling(),
            scoring.samples(),
            data.batchSize(),
            fineTuning,
            common.seed());
    PruneRun.Result result;
    Optional<LatencyOptions.Outcome> speed = Optional.empty();
    try (Device device = common.openDevice()) {
      ObjectNode config = config(options, data, device.name());
      Optional<LatencyGoal> goal = latency.goal(device);
      if (goal.isPresent()) {
        common.note("layers are timed as their times are needed; later runs know them");
      }
      result =
          PruneRun.prune(
              device,
              m.with("pruned by", config.toString()), // not as typed: resumed or not is the same
              train,
              goal.map(options::with).orElse(options),
              output,
              config,
              resume,
              common.progress(),
              i -> common.note(line(i)));
      if (goal.isPresent()) {
        Model pruned = Models.load(output.resolve("model.sct"));
        speed = Optional.of(latency.measure(device, goal.get(), m, pruned));
        Json.write(output.resolve("latency.json"), speed.get());
      }
    }
    String speedText = speed.map(o -> "\n" + o.text()).orElse("");
    AtomicFile.write(output.resolve("command.txt"), common.commandWithout("--resume") + "\n");
    IterationMetrics first = result.iterations().get(0);
    IterationMetrics chosen = result.iterations().get(result.chosen());
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("output", output.resolve("model.sct").toString());
    json.put("stoppedBy", result.stoppedBy());
    json.put("chosenIteration", result.chosen());
    json.put("iterations", result.iterations());
    speed.ifPresent(o -> json.put("latency", o));
    common.print(
        json,
        () ->
            table(result.iterations())
                + Text.format(
                    "stopped by --%s; iteration %d: parameters %s, MACs %s, written to %s",
                    result.stoppedBy().replace(",", " and --"),
                    result.chosen(),
                    Text.change(first.parameters(), chosen.parameters()),
                    Text.change(first.macs(), chosen.macs()),
                    output.resolve("model.sct"))
                + speedText);
    return 0;
  }

  /** What makes this run this run: a resumed one must agree on it. */
  private ObjectNode config(PruneOptions o, DataOptions data, String device) throws IOException {
    ObjectNode c = Json.MAPPER.createObjectNode();
    c.put("model", model.file().toString());
    c.put("modelCrc32", Checksums.crc32(model.file()));
    c.put("data", data.spec());
    c.put("device", device);
    if (!common.math().equals("fp32")) {
      c.put("math", common.math());
    }
    c.put("secateur", Main.Version.text());
    if (!model.onnx().equals(OnnxOptions.DEFAULT)) {
      c.put("onnx", model.onnx().toString());
    }
    // what has its usual value is left out, so that runs from before it was there go on
    if (o.scope() != Scope.PAPER) {
      c.put("scope", o.scope().name());
      c.put("groupScore", o.groupScore().name());
    }
    if (!o.constraints().equals(Constraints.NONE)) {
      c.set("constraints", Json.MAPPER.valueToTree(o.constraints()));
    }
    o.rate().ifPresent(r -> c.put("rate", r));
    c.put("iterations", o.iterations());
    targetMacs.ifPresent(t -> c.put("targetMacs", t));
    targetParameters.ifPresent(t -> c.put("targetParameters", t));
    targetSize.ifPresent(t -> c.put("targetSize", t));
    latency.record(c);
    o.maxDrop().ifPresent(d -> c.put("maxDrop", d));
    c.put("holdOut", o.holdOut());
    if (!o.criterion().name().equals("pls-vip")) {
      c.put("criterion", o.criterion().name());
    }
    c.put("components", scoring.components());
    c.put("pool", o.pooling().kind().name());
    if (o.pooling().place() != Pooling.Place.CONVOLUTION) {
      c.put("features", o.pooling().place().name());
    }
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
