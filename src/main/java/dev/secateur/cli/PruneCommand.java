package dev.secateur.cli;

import dev.secateur.data.Dataset;
import dev.secateur.data.Labels;
import dev.secateur.data.NoImages;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.io.Models;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.Recipe;
import dev.secateur.run.IterationMetrics;
import dev.secateur.run.LatencyOutcome;
import dev.secateur.run.PruneRun;
import dev.secateur.run.RunInputs;
import dev.secateur.train.EpochMetrics;
import dev.secateur.util.AtomicFile;
import dev.secateur.util.Checksums;
import dev.secateur.util.Numbers;
import dev.secateur.util.Table;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

@Command(
    name = "prune",
    description = {
      "Removes the filters of least importance over all layers and fine-tunes, again and again.",
      "Writes a run directory: iter-NN/model.sct, summary.csv, run.json, and the result model.sct."
    },
    customSynopsis = {
      "secateur prune MODEL --data KIND:DIR -o DIR [OPTIONS]",
      "       secateur prune MODEL --criterion l1|l2|fpgm|bn-scale|random -o DIR [OPTIONS]"
    },
    footer = {
      "%nExamples:",
      "  secateur prune resnet20.sct --data cifar10:DIR --iterations 3 --finetune-epochs 5 -o run",
      "  secateur prune net.onnx --data folder:DIR --scope all --target-macs 0.5 -o run",
      "  secateur prune net.onnx --criterion l1 --scope all --target-macs 0.5 -o run",
      "  secateur prune --recipe paper --pruning-ratio 0.2 --print-config > mine.yaml"
    })
final class PruneCommand extends BaseCommand.OnDevice {
  @ArgGroup(exclusive = false, multiplicity = "1", heading = ModelOptions.HEADING, order = 1)
  private ModelOptions model;

  @ArgGroup(exclusive = false, multiplicity = "0..1", heading = DataOptions.HEADING, order = 2)
  private DataOptions data;

  @ArgGroup(validate = false, heading = RecipeOptions.HEADING, order = 3)
  private RecipeOptions.Printed recipe = new RecipeOptions.Printed();

  @ArgGroup(validate = false, heading = ScoringOptions.HEADING, order = 4)
  private ScoringOptions scoring;

  @ArgGroup(validate = false, heading = ScopeOptions.HEADING, order = 5)
  private ChoiceOptions choice;

  @ArgGroup(exclusive = false, heading = StopOptions.HEADING, order = 6)
  private StopOptions stop;

  @ArgGroup(validate = false, heading = SparseOptions.HEADING, order = 7)
  private SparseOptions sparse;

  @ArgGroup(validate = false, heading = "%nFine-tuning:%n", order = 8)
  private FineTuningOptions.AfterRemoval tuning;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = OUTPUT, order = 90)
  private Output output;

  private static final class Output extends UpkeepOptions {
    @Option(
        names = {"-o", "--output"},
        required = true,
        paramLabel = "DIR",
        description = "the run directory")
    private Path file;
  }

  /** The iteration that is being made. */
  private int iteration;

  @Override
  public Integer call() throws IOException {
    boolean resumes = output != null && output.resume; // there is none where settings are printed
    Optional<Recipe> begun =
        resumes && !recipe.given() ? PruneRun.recipe(output.file) : Optional.empty();
    Recipe base = recipe.base();
    if (data == null && !recipe.print) { // nothing can be tuned
      base = base.with("fine-tuning.epochs", 0).with("fine-tuning.bn-recalibration", 0);
    }
    Recipe r = recipe(begun.isPresent() ? begun.get() : base);
    if (recipe.print) {
      spec.commandLine().getOut().print(r.resolved().yaml());
      return 0;
    }
    if (output.resume) {
      PruneRun.math(output.file).ifPresent(device::goOn);
    }
    Model m = model.open(this::warn);
    if (data == null && r.criterion().needsData()) {
      throw new ParameterException(
          spec.commandLine(),
          "--data: expected KIND:DIR, as --criterion "
              + r.criterion().name()
              + " looks at images; l1, l2, fpgm, bn-scale, outgoing and random need none");
    }
    Dataset train =
        data == null
            ? new NoImages(DataOptions.imageShape(m.graph()))
            : data.open(Split.TRAIN, m.graph(), this::warn);
    if (data == null) {
      note("without --data there is no fine-tuning and no accuracy");
    }
    if (r.stop().latency().isPresent()) {
      note("layers are timed as their times are needed; later runs know them");
    }
    PruneRun.Result result;
    try (StopSignal stop = new StopSignal();
        Device opened = openDevice()) {
      try (Network net = new Network(opened, m)) {
        train = labelled(net, "the unpruned network", train);
      }
      result =
          PruneRun.prune(
              opened,
              m,
              train,
              r,
              output.file,
              inputs(opened, train.labels()),
              output.upkeep(stop, this::warn),
              stop.ending(progress()),
              this::told);
    }
    AtomicFile.write(output.file.resolve("command.txt"), commandWithout("--resume") + "\n");
    Path pruned = output.file.resolve("model.sct");
    Optional<Path> onnx =
        Models.fromOnnx(m) ? Optional.of(output.file.resolve("model.onnx")) : Optional.empty();
    if (onnx.isPresent()) {
      Models.exportOnnx(Models.load(pruned), onnx.get());
    }
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("output", output.file.resolve("model.sct").toString());
    json.put("stoppedBy", result.stoppedBy());
    json.put("chosenIteration", result.chosen());
    json.put("iterations", result.iterations());
    result.latency().ifPresent(o -> json.put("latency", o));
    onnx.ifPresent(o -> json.put("onnx", o.toString()));
    print(json, () -> text(result) + onnx.map(o -> ", and as " + o).orElse(""));
    return 0;
  }

  private void told(IterationMetrics i) {
    iteration = i.iteration() + 1;
    note(line(i));
  }

  @Override
  String stage() {
    return "iteration " + iteration + ", ";
  }

  private RunInputs inputs(Device opened, Labels labels) throws IOException {
    return new RunInputs(
        model.file().toString(),
        Checksums.crc32(model.file()),
        data == null ? "none" : data.spec(),
        opened.name(),
        math(),
        Version.text(),
        model.onnxGiven().map(Object::toString),
        Optional.of(opened.description()),
        Optional.of(labels).filter(l -> l != Labels.CLASSES));
  }

  private String line(IterationMetrics i) {
    String accuracy =
        Double.isNaN(i.accuracy())
            ? ""
            : Numbers.format(
                ", held-out %s %.2f %% -> %.2f %%", measure, i.afterPruning(), i.accuracy());
    return Numbers.format(
        "iteration %d: %d filters%s, %s parameters, %s MACs%s",
        i.iteration(),
        i.filters(),
        i.dead().isEmpty() ? "" : Numbers.format(" (%d dead ones went)", i.dead().size()),
        Numbers.count(i.parameters()),
        Numbers.count(i.macs()),
        accuracy);
  }

  private String text(PruneRun.Result result) {
    IterationMetrics first = result.iterations().get(0);
    IterationMetrics chosen = result.iterations().get(result.chosen());
    return table(result.iterations())
        + Numbers.format(
            "stopped by %s; iteration %d: parameters %s, MACs %s, written to %s",
            result.stoppedBy().replace(",", " and "),
            result.chosen(),
            Numbers.change(first.parameters(), chosen.parameters()),
            Numbers.change(first.macs(), chosen.macs()),
            output.file.resolve("model.sct"))
        + result.latency().map(o -> "\n" + text(o)).orElse("");
  }

  private String table(List<IterationMetrics> all) {
    IterationMetrics first = all.get(0);
    Table out =
        new Table(
            "iteration",
            "filters",
            "dead removed",
            "parameters",
            "change",
            "MACs",
            "change",
            "pruned " + measure + " %",
            "tuned " + measure + " %",
            "best epoch %");
    for (IterationMetrics i : all) {
      out.row(
          i.iteration(),
          i.filters(),
          i == first ? "" : i.dead().size(),
          i.parameters(),
          i == first ? "" : Numbers.change(first.parameters(), i.parameters()),
          i.macs(),
          i == first ? "" : Numbers.change(first.macs(), i.macs()),
          percent(i.afterPruning()),
          percent(i.accuracy()),
          EpochMetrics.best(i.epochs())
              .map(b -> Numbers.format("%.2f (%d)", b.heldOutTop1().orElseThrow(), b.epoch()))
              .orElse(""));
    }
    return out.text();
  }

  private static String percent(double value) {
    return Double.isNaN(value) ? "" : Numbers.format("%.2f", value);
  }

  private static String text(LatencyOutcome o) {
    return Numbers.format(
        "latency at batch %d: %.3f of the original's (95 %% %.3f-%.3f; %.4g -> %.4g ms), by the"
            + " table %.3f; target %.3f %s",
        o.batch(),
        o.measured().ratio(),
        o.measured().low95(),
        o.measured().high95(),
        o.originalMilliseconds(),
        o.measured().milliseconds(),
        o.predicted(),
        o.target(),
        (o.reached() ? "reached" : "missed") + (o.surely() ? "" : ", within the interval"));
  }
}
