package dev.secateur.experiment;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.bench.Benchmark;
import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.experiment.Plan.Cell;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.Images;
import dev.secateur.prune.OpenNetwork;
import dev.secateur.prune.Pruner;
import dev.secateur.prune.RatioSelector;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Selector;
import dev.secateur.report.Plot;
import dev.secateur.train.Checkpoints;
import dev.secateur.train.ProgressListener;
import dev.secateur.util.AtomicFile;
import dev.secateur.util.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * Runs the cells of a plan, each into a file of its own that appears at once or not at all: a
 * killed experiment goes on with the cells that are missing, and several processes may share one
 * directory.
 */
public final class Experiment {
  private static final String BASELINE = "baseline";

  private final Device device;
  private final Plan plan;
  private final Model original;
  private final Dataset train;
  private final Dataset test;
  private final Path directory;
  private final Cells cells;
  private final ProgressListener progress;

  /** The scores in the original network that were computed last; all ratios begin with it. */
  private Optional<First> first = Optional.empty();

  private record First(String criterion, long seed, Pruner.Scores scores) {}

  /**
   * The results, and the cells that failed with the reason.
   *
   * @param baseline the original network, as a step 0
   * @param missing cells that are still to be run, by this process or another
   */
  public record Outcome(
      CellResult.Step baseline,
      List<CellResult> results,
      Map<String, String> failed,
      int missing) {}

  /**
   * A part of the cells, for several processes at once: those whose number modulo {@code of} is
   * {@code index}.
   */
  public record Shard(int index, int of) {
    public static final Shard ALL = new Shard(0, 1);
  }

  /**
   * @param train all training images
   * @param settings what the model file is, besides the plan
   * @throws SecateurException when the directory holds an experiment with other settings, or data
   *     and network do not fit
   */
  public Experiment(
      Device device,
      Plan plan,
      Model original,
      Dataset train,
      Dataset test,
      Path directory,
      ObjectNode settings,
      ProgressListener progress)
      throws IOException {
    this.device = device;
    this.plan = plan;
    this.original = original;
    this.train = train;
    this.test = test;
    this.directory = directory;
    this.progress = progress;
    this.cells = new Cells(directory, settings);
  }

  /** The settings that all cells of a directory share. */
  public static ObjectNode settings(Plan plan, long modelCrc32) {
    ObjectNode json = plan.settings();
    json.put("modelCrc32", modelCrc32);
    return json;
  }

  /**
   * Runs what is missing. A cell that fails does not end the others.
   *
   * @param listener told each cell that was run now
   */
  public Outcome run(Shard shard, Consumer<CellResult> listener) throws IOException {
    Map<String, String> failed = new LinkedHashMap<>();
    List<Cell> all = plan.cells();
    CellResult.Step baseline = baseline();
    // neighbours share scores, so a shard takes whole criteria
    int ratios = plan.ratios().size();
    for (int i = 0; i < all.size(); i++) {
      Cell c = all.get(i);
      if (i / ratios % shard.of() == shard.index() && !cells.has(plan.name(c))) {
        try {
          CellResult r = cell(c);
          cells.put(plan.name(c), r);
          listener.accept(r);
        } catch (SecateurException e) {
          failed.put(plan.name(c), e.getMessage());
        }
      }
    }
    List<CellResult> results = new ArrayList<>();
    for (Cell c : all) {
      if (cells.has(plan.name(c))) {
        results.add(cells.get(plan.name(c), CellResult.class));
      }
    }
    return new Outcome(baseline, results, failed, all.size() - results.size() - failed.size());
  }

  private CellResult.Step baseline() throws IOException {
    if (!cells.has(BASELINE)) {
      Pruner pruner = pruner(plan.recipe());
      try (Network net = new Network(device, original)) {
        double top1 = pruner.evaluate(net).top1();
        cells.put(BASELINE, step(0, original.graph(), Removal.NONE, top1, top1));
      }
    }
    return cells.get(BASELINE, CellResult.Step.class);
  }

  private Pruner pruner(Recipe recipe) {
    Images images = Images.of(train, recipe);
    boolean tested = plan.evaluation() == Plan.Evaluation.TEST;
    return new Pruner(recipe, tested ? images.evaluatedOn(test) : images, progress);
  }

  private CellResult cell(Cell c) {
    Recipe recipe = plan.recipe(c);
    Selector selector = new RatioSelector(recipe);
    List<CellResult.Step> steps = new ArrayList<>();
    int iterations = recipe.stop().iterations().orElseThrow();
    try (Network whole = new Network(device, original);
        OpenNetwork net = new OpenNetwork(whole.copy())) {
      Pruner pruner = pruner(recipe).taughtBy(whole);
      for (int i = 1; i <= iterations; i++) {
        if (c.criterion().equals(Plan.CONTROL)) {
          double before = pruner.evaluate(net.get()).top1();
          pruner.fineTune(net.get(), i);
          double after = pruner.evaluate(net.get()).top1();
          steps.add(step(i, original.graph(), Removal.NONE, before, after));
          continue;
        }
        Pruner.Step s =
            i == 1
                ? firstStep(c, recipe, pruner, selector, net.get(), whole)
                : pruner.step(original.graph(), net.get(), i, selector, Optional.empty());
        net.replace(s.network());
        Graph graph = s.network().graph();
        steps.add(step(i, graph, s.removal(), s.cut().top1(), s.tuned().top1()));
        if (recipe.stop().reached(original.graph(), graph)) {
          break;
        }
      }
    }
    return new CellResult(c.criterion(), c.ratio(), c.seed(), steps);
  }

  private Pruner.Step firstStep(
      Cell c, Recipe recipe, Pruner pruner, Selector selector, Network net, Network whole) {
    Graph graph = original.graph();
    if (recipe.sparseTraining().none()) {
      return pruner.step(graph, net, 1, selector, Optional.of(first(c, pruner, net)));
    }
    boolean growing = recipe.sparseTraining().kind() == Recipe.SparseTraining.Kind.GROWING;
    Optional<Pruner.Chosen> chosen =
        growing ? Optional.of(pruner.choose(graph, net, selector)) : Optional.empty();
    pruner.trainSparse(net, chosen, whole, progress, Checkpoints.none());
    return chosen.isPresent()
        ? pruner.step(graph, net, 1, chosen.get())
        : pruner.step(graph, net, 1, selector, Optional.empty());
  }

  private Pruner.Scores first(Cell c, Pruner pruner, Network net) {
    First known =
        first
            .filter(f -> f.criterion().equals(c.criterion()) && f.seed() == c.seed())
            .orElseGet(() -> new First(c.criterion(), c.seed(), pruner.score(net)));
    first = Optional.of(known);
    return known.scores();
  }

  private CellResult.Step step(
      int iteration, Graph graph, Removal removal, double before, double after) {
    Cost cost = Cost.of(graph);
    int filters = plan.recipe().groups(graph).filters();
    return new CellResult.Step(
        iteration, filters, cost.parameters(), cost.macs(), removal, before, after);
  }

  /**
   * Times all networks, and writes results.md, results.csv, results.json and plots (SVG, PNG).
   *
   * @param device for the record, and to time on
   */
  public Summary report(Outcome outcome) throws IOException {
    Map<String, Benchmark.Row> times =
        plan.latency().isPresent()
            ? Times.measure(device, original, outcome.results(), plan.latency().get())
            : Map.of();
    Summary summary = Summary.of(plan, outcome.baseline(), outcome.results(), times);
    ObjectNode json = Json.MAPPER.createObjectNode();
    json.put("device", device.description());
    json.set("libraries", Json.MAPPER.valueToTree(device.versions()));
    json.set("settings", cells.settings());
    json.set("baseline", Json.MAPPER.valueToTree(outcome.baseline()));
    json.set("ranking", Json.MAPPER.valueToTree(summary.ranking()));
    json.set("cells", Json.MAPPER.valueToTree(outcome.results()));
    json.set("times", Json.MAPPER.valueToTree(times));
    Json.write(directory.resolve("results.json"), json);
    text("results.csv", Summary.csv(outcome.results(), times));
    boolean finetuned = !plan.recipe().fineTuning().none();
    Map<String, Plot> plots = Plots.of(summary, finetuned);
    plots.forEach(
        (name, plot) -> {
          plot.writeSvg(directory.resolve(name + ".svg"));
          plot.writePng(directory.resolve(name + ".png"));
        });
    text(
        "results.md",
        summary.markdown(finetuned)
            + plots.entrySet().stream()
                .map(e -> "\n![" + e.getValue().title() + "](" + e.getKey() + ".svg)\n")
                .collect(Collectors.joining()));
    return summary;
  }

  private void text(String name, String text) {
    AtomicFile.write(directory.resolve(name), text);
  }
}
