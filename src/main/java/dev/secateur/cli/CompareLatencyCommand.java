package dev.secateur.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.data.Dataset;
import dev.secateur.data.Split;
import dev.secateur.device.Device;
import dev.secateur.experiment.LatencyComparison;
import dev.secateur.experiment.LatencyComparison.Cell;
import dev.secateur.experiment.LatencyComparison.Result;
import dev.secateur.experiment.LatencyVerdict;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.latency.LatencyLookupTable;
import dev.secateur.run.LatencyOutcome;
import dev.secateur.util.AtomicFile;
import dev.secateur.util.Json;
import dev.secateur.util.Numbers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

@Command(
    name = "compare-latency",
    description = {
      "Prunes to one measured latency by plain scores, by scores rounded to the device's step, and",
      "by knapsacks of scores against milliseconds (that of --target-latency is the one of shares);",
      "fine-tunes each alike and compares test accuracy.",
      "The same command goes on with an interrupted comparison."
    },
    customSynopsis =
        "secateur compare-latency MODEL --data KIND:DIR --target-latency F -o DIR [OPTIONS]",
    footer = {
      "%nExamples:",
      "  secateur compare-latency m.sct --data cifar10:DIR --target-latency 0.6 -o out",
      "  secateur compare-latency m.sct --data cifar10:DIR --target-latency 0.8 --batch 32 -o out",
      "  secateur compare-latency m.sct --data cifar10:DIR --target-latency 0.6 --seeds 1,2 -o out"
    })
final class CompareLatencyCommand extends BaseCommand.OnDevice {
  private static final int USUAL_STEP = 8;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = ModelOptions.HEADING, order = 1)
  private ModelOptions model;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = DataOptions.HEADING, order = 2)
  private DataOptions data;

  @ArgGroup(validate = false, heading = RecipeOptions.HEADING, order = 3)
  private RecipeOptions recipe = new RecipeOptions();

  @ArgGroup(validate = false, heading = ScoringOptions.HEADING, order = 4)
  private ScoringOptions scoring;

  @ArgGroup(validate = false, heading = ScopeOptions.HEADING, order = 5)
  private ChoiceOptions choice;

  @ArgGroup(exclusive = false, multiplicity = "1", heading = LatencyOptions.HEADING, order = 6)
  private LatencyOptions latency;

  @ArgGroup(validate = false, heading = "%nFine-tuning:%n", order = 7)
  private FineTuningOptions.AfterRemoval tuning;

  @ArgGroup(validate = false, heading = "%nComparison:%n", order = 8)
  private Comparison comparison = new Comparison();

  private static final class Comparison {
    @Option(
        names = "--seeds",
        paramLabel = "N",
        split = ",",
        description = "which images score and in which order they teach; default 1,2,3")
    private List<Long> seeds = List.of(1L, 2L, 3L);

    @Option(
        names = "--tolerance",
        paramLabel = "F",
        converter = Converters.OpenFraction.class,
        description = "part of the target by which a measured latency may miss it; default 0.015")
    private double tolerance = 0.015;
  }

  @ArgGroup(exclusive = false, multiplicity = "1", heading = OUTPUT, order = 90)
  private Output output;

  private static final class Output {
    @Option(
        names = {"-o", "--output"},
        required = true,
        paramLabel = "DIR",
        description = "for cells/*.json, comparison.json and comparison.md")
    private Path file;
  }

  @Override
  public Integer call() throws IOException {
    Recipe given = recipe(recipe.base());
    if (given.stop().latency().filter(l -> !l.milliseconds()).isEmpty()) {
      throw new ParameterException(
          spec.commandLine(),
          "--target-latency: expected a part of the original's time, such as 0.6");
    }
    Model m = model.open(this::warn);
    Graph graph = m.graph();
    Dataset train = data.open(Split.TRAIN, graph, this::warn);
    Dataset test = data.open(Split.TEST, graph, this::warn);
    int roundTo = given.choice().roundTo();
    LatencyComparison.Settings settings =
        new LatencyComparison.Settings(
            given.with("choice.round-to", 1).resolved(graph),
            roundTo > 1 ? roundTo : USUAL_STEP,
            comparison.tolerance);
    Result result;
    ObjectNode config;
    try (Device opened = openDevice()) {
      config = config(settings, opened);
      int batch = given.stop().latencyBatch();
      result =
          new LatencyComparison(
                  opened,
                  m,
                  train,
                  test,
                  settings,
                  LatencyLookupTable.of(opened, batch),
                  (original, pruned) -> LatencyOutcome.time(opened, batch, original, pruned),
                  progress())
              .run(comparison.seeds, output.file, config, c -> note(line(c)));
    }
    LatencyVerdict verdict = new LatencyVerdict(result, 2 * comparison.tolerance);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("config", config);
    json.put("result", result);
    json.put("verdict", verdict.text());
    Json.write(output.file.resolve("comparison.json"), json);
    String text = verdict.table() + "\n" + verdict.text() + "\n";
    AtomicFile.write(output.file.resolve("comparison.md"), text);
    print(json, () -> text);
    return 0;
  }

  private ObjectNode config(LatencyComparison.Settings s, Device opened) {
    ObjectNode c = Json.SETTINGS.createObjectNode();
    c.put("model", model.file().toString());
    c.put("data", data.spec());
    c.put("device", opened.description());
    c.put("math", math());
    c.put("tolerance", s.tolerance());
    c.put("round-to", s.roundTo());
    ObjectNode recipe = s.recipe().tree();
    recipe.remove("seed");
    recipe.remove("sparse-training"); // there is none
    c.set("recipe", recipe);
    return c;
  }

  private static String line(Cell c) {
    return Numbers.format(
        "seed %d, %s: %.3f of the original's time (95 %% %.3f-%.3f), %s MACs, top-1 %.2f %% -> %.2f"
            + " %%",
        c.seed(),
        c.method(),
        c.measured().ratio(),
        c.measured().low95(),
        c.measured().high95(),
        Numbers.count(c.macs()),
        c.pruned(),
        c.tuned());
  }
}
