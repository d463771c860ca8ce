package dev.secateur.cli;

import dev.secateur.SecateurException;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.data.Unreadable;
import dev.secateur.device.Device;
import dev.secateur.experiment.CellResult;
import dev.secateur.experiment.Experiment;
import dev.secateur.experiment.Plan;
import dev.secateur.experiment.Summary;
import dev.secateur.io.Checksums;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Model;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

@Command(
    name = "experiment",
    description = {
      "Compares criteria: prunes by each, at each rate, with each seed of a plan, and measures on",
      "the test split before and after fine-tuning. Writes results.md, .csv, .json and plots.",
      "Killed or given more criteria, rates or seeds, it goes on with the cells that are missing."
    })
final class ExperimentCommand implements Callable<Integer> {
  @Mixin private Common common;

  @Parameters(
      paramLabel = "PLAN",
      description = {
        "YAML: model, data, rates, and if not as usual criteria (all), iterations (1), seeds ([1]),",
        "scope (paper), samples (10000), pool (max), features (convolution), components (2),",
        "batch-size (128),",
        "finetune: {epochs, samples, lr, batch-size, weight-decay}, latency: {batch, runs}"
      })
  private Path plan;

  @Option(names = "--model", paramLabel = "FILE", description = "in the place of the plan's")
  private Optional<String> model;

  @Option(names = "--data", paramLabel = "KIND:DIR", description = "in the place of the plan's")
  private Optional<String> data;

  @Option(
      names = "--shard",
      paramLabel = "I/N",
      converter = ShardOf.class,
      description = {
        "only the I-th of N parts, for N processes or GPUs on one directory; run once more",
        "without it for the tables"
      })
  private Optional<Experiment.Shard> shard;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "DIR",
      description = "the results' directory")
  private Path output;

  /** I/N with 1 <= I <= N. */
  static final class ShardOf implements ITypeConverter<Experiment.Shard> {
    private static final Pattern PART = Pattern.compile("([1-9]\\d{0,5})/([1-9]\\d{0,5})");

    @Override
    public Experiment.Shard convert(String value) {
      Matcher m = PART.matcher(value);
      if (!m.matches() || Integer.parseInt(m.group(1)) > Integer.parseInt(m.group(2))) {
        throw new TypeConversionException("'" + value + "': expected I/N, such as 1/4 to 4/4");
      }
      return new Experiment.Shard(Integer.parseInt(m.group(1)) - 1, Integer.parseInt(m.group(2)));
    }
  }

  @Override
  public Integer call() throws IOException {
    Plan p = Plan.read(plan, model, data);
    Path file = Path.of(p.model());
    Model m =
        ModelFiles.open(file, Optional.empty(), Optional.empty(), OnnxOptions.DEFAULT, common);
    Unreadable unreadable = new Unreadable(false, common::warn);
    var shape = Optional.of(DataOptions.imageShape(m.graph()));
    Dataset train = DataSets.open(p.data(), Split.TRAIN, shape, unreadable);
    Dataset test = DataSets.open(p.data(), Split.TEST, shape, unreadable);
    try (Device device = common.openDevice()) {
      var settings = Experiment.settings(p, Checksums.crc32(file));
      settings.put("math", common.math());
      Experiment experiment =
          new Experiment(device, p, m, train, test, output, settings, common.progress());
      Experiment.Outcome outcome =
          experiment.run(shard.orElse(Experiment.Shard.ALL), r -> common.note(line(r)));
      outcome.failed().forEach((cell, why) -> common.warn(cell + ": " + why));
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("output", output.toString());
      json.put("cells", outcome.results().size());
      json.put("failed", outcome.failed());
      json.put("missing", outcome.missing());
      if (shard.isPresent()) {
        common.print(
            json,
            () ->
                Text.format(
                    "%d cells are there, %d are missing; tables: the same without --shard",
                    outcome.results().size(), outcome.missing()));
      } else if (outcome.results().isEmpty()) {
        throw new SecateurException("no cell of the experiment could be run");
      } else {
        Summary summary = experiment.report(outcome);
        json.put("ranking", summary.ranking());
        json.put("rows", summary.rows());
        common.print(
            json,
            () ->
                summary.markdown(p.finetune().isPresent())
                    + "\nwritten to "
                    + output.resolve("results.md"));
      }
      return outcome.failed().isEmpty() ? 0 : 1;
    }
  }

  private static String line(CellResult r) {
    CellResult.Step last = r.steps().get(r.steps().size() - 1);
    return Text.format(
        "%s, rate %s, seed %d: %s MACs, test top-1 %.2f %% -> %.2f %%",
        r.criterion(), r.rate(), r.seed(), Text.count(last.macs()), last.before(), last.after());
  }
}
