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
import dev.secateur.io.PixelScale;
import dev.secateur.io.onnx.OnnxOptions;
import dev.secateur.nn.Model;
import dev.secateur.util.Checksums;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

@Command(
    name = "experiment",
    description = {
      "Compares criteria: prunes by each, at each ratio, with each seed of a plan, and measures on",
      "the test split before and after fine-tuning. Writes results.md, .csv, .json and plots.",
      "Killed or given more criteria, ratios or seeds, it goes on with the cells that are missing."
    },
    customSynopsis = "secateur experiment PLAN -o DIR [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur experiment plan.yaml -o out",
      "  secateur experiment plan.yaml --model resnet20.sct --data cifar10:DIR -o out",
      "  secateur experiment plan.yaml --shard 1/4 --device cuda:0 -o out"
    })
final class ExperimentCommand extends BaseCommand.OnDevice {

  @Parameters(
      paramLabel = "PLAN",
      description = {
        "YAML: model, data, pruning-ratios or macs-removed, and if not as usual criteria (all),",
        "variants, control, seeds ([1]), evaluation (test), latency: {batch, runs}, and any part",
        "of a recipe, as prune --print-config prints it"
      })
  private Path plan;

  @ArgGroup(validate = false, heading = "%nPlan:%n", order = 1)
  private Part part = new Part();

  private static final class Part {
    @Option(names = "--model", paramLabel = "FILE", description = "in the place of the plan's")
    private String model;

    @Option(names = "--data", paramLabel = "KIND:DIR", description = "in the place of the plan's")
    private String data;

    @Option(
        names = "--shard",
        paramLabel = "I/N",
        converter = ShardOf.class,
        description = {
          "only the I-th of N parts, for N processes or GPUs on one directory; run once more",
          "without it for the tables"
        })
    private Experiment.Shard shard;
  }

  @ArgGroup(exclusive = false, multiplicity = "1", heading = BaseCommand.OUTPUT, order = 90)
  private Output output;

  private static final class Output {
    @Option(
        names = {"-o", "--output"},
        required = true,
        paramLabel = "DIR",
        description = "the results' directory")
    private Path file;
  }

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
    Plan p = Plan.read(plan, Optional.ofNullable(part.model), Optional.ofNullable(part.data));
    Path file = Path.of(p.model());
    Model m =
        ModelFiles.open(
            file,
            Optional.empty(),
            Optional.empty(),
            OnnxOptions.DEFAULT,
            PixelScale.UNIT,
            this::warn);
    Unreadable unreadable = new Unreadable(false, this::warn);
    var shape = Optional.of(DataOptions.imageShape(m.graph()));
    Dataset train = DataSets.open(p.data(), Split.TRAIN, shape, unreadable);
    Dataset test = DataSets.open(p.data(), Split.TEST, shape, unreadable);
    try (Device opened = openDevice()) {
      var settings = Experiment.settings(p, Checksums.crc32(file));
      settings.put("math", math());
      Experiment experiment =
          new Experiment(opened, p, m, train, test, output.file, settings, progress());
      Experiment.Outcome outcome =
          experiment.run(
              part.shard == null ? Experiment.Shard.ALL : part.shard, r -> note(line(p, r)));
      outcome.failed().forEach((cell, why) -> warn(cell + ": " + why));
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("output", output.file.toString());
      json.put("cells", outcome.results().size());
      json.put("failed", outcome.failed());
      json.put("missing", outcome.missing());
      if (part.shard != null) {
        print(
            json,
            () ->
                Numbers.format(
                    "%d cells are there, %d are missing; tables: the same without --shard",
                    outcome.results().size(), outcome.missing()));
      } else if (outcome.results().isEmpty()) {
        throw new SecateurException("no cell of the experiment could be run");
      } else {
        Summary summary = experiment.report(outcome);
        json.put("ranking", summary.ranking());
        json.put("rows", summary.rows());
        print(
            json,
            () ->
                summary.markdown(!p.recipe().fineTuning().none())
                    + "\nwritten to "
                    + output.file.resolve("results.md"));
      }
      return outcome.failed().isEmpty() ? 0 : 1;
    }
  }

  private static String line(Plan p, CellResult r) {
    CellResult.Step last = r.steps().get(r.steps().size() - 1);
    return Numbers.format(
        "%s, ratio %s, seed %d: %s MACs, %s top-1 %.2f %% -> %.2f %%",
        r.criterion(),
        r.ratio(),
        r.seed(),
        Numbers.count(last.macs()),
        p.evaluation(),
        last.before(),
        last.after());
  }
}
