package dev.secateur.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.bench.Benchmark;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.experiment.Plan.Cell;
import dev.secateur.io.AtomicFile;
import dev.secateur.io.Json;
import dev.secateur.io.Settings;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.Constraints;
import dev.secateur.prune.Criterion;
import dev.secateur.prune.GroupScore;
import dev.secateur.prune.Scorer;
import dev.secateur.prune.Scores;
import dev.secateur.prune.ScoringData;
import dev.secateur.prune.Selection;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.Units;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.report.Plot;
import dev.secateur.train.Evaluator;
import dev.secateur.train.ProgressListener;
import dev.secateur.train.Trainer;
import java.io.IOException;
import java.nio.file.Files;
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
  private final Device device;
  private final Plan plan;
  private final Model original;
  private final Dataset train;
  private final Dataset test;
  private final Path directory;
  private final ProgressListener progress;

  /** The scores of the original network that were computed last; all rates begin with them. */
  private Optional<First> first = Optional.empty();

  private record First(String criterion, long seed, Scores scores) {}

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
    Path file = directory.resolve("experiment.json");
    if (Files.exists(file)) {
      Settings.requireSame(file, read(file, JsonNode.class), settings, "an experiment");
    } else {
      Json.write(file, settings);
    }
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
    List<Cell> cells = plan.cells();
    CellResult.Step baseline = baseline();
    // neighbours share scores, so a shard takes whole criteria
    int rates = plan.rates().size();
    for (int i = 0; i < cells.size(); i++) {
      Cell c = cells.get(i);
      if (i / rates % shard.of() == shard.index() && !Files.exists(file(c))) {
        try {
          CellResult r = cell(c);
          Json.write(file(c), r);
          listener.accept(r);
        } catch (SecateurException e) {
          failed.put(c.name(), e.getMessage());
        }
      }
    }
    List<CellResult> results = new ArrayList<>();
    for (Cell c : cells) {
      if (Files.exists(file(c))) {
        results.add(read(file(c), CellResult.class));
      }
    }
    return new Outcome(baseline, results, failed, cells.size() - results.size() - failed.size());
  }

  private CellResult.Step baseline() throws IOException {
    Path file = directory.resolve("baseline.json");
    if (!Files.exists(file)) {
      double top1 = accuracy(original);
      Json.write(file, step(0, original, Map.of(), top1, top1));
    }
    return read(file, CellResult.Step.class);
  }

  private CellResult cell(Cell c) {
    Criterion criterion =
        Criteria.named(c.criterion(), new Criteria.Settings(plan.components(), c.seed()));
    Dataset images = DataSets.sample(train, train.size(), c.seed());
    Model model = original;
    List<CellResult.Step> steps = new ArrayList<>();
    for (int i = 1; i <= plan.iterations(); i++) {
      Units units = Units.of(model.graph(), plan.scope());
      Scores scores = scores(criterion, model, units, images, c.seed(), i == 1);
      Selection selection =
          new Selection(units, scores, GroupScore.MEAN, Constraints.NONE, original.graph());
      Map<String, int[]> removed = selection.lowest(c.rate());
      model = Surgery.remove(device, model, removed);
      double before = accuracy(model);
      double after = before;
      if (plan.finetune().isPresent()) {
        Plan.Finetune f = plan.finetune().get();
        try (Network net = new Network(device, model)) {
          Dataset part = DataSets.sample(images, f.samples(), c.seed());
          Trainer.train(net, part, f.options(c.seed() + i), progress);
          model = net.toModel();
        }
        after = accuracy(model);
      }
      steps.add(step(i, model, removed, before, after));
    }
    return new CellResult(c.criterion(), c.rate(), c.seed(), steps);
  }

  private Scores scores(
      Criterion criterion, Model model, Units units, Dataset images, long seed, boolean isFirst) {
    Optional<Scores> known =
        first
            .filter(f -> isFirst && f.criterion().equals(criterion.name()) && f.seed() == seed)
            .map(First::scores);
    if (known.isPresent()) {
      return known.get();
    }
    try (Network net = new Network(device, model)) {
      Scores s =
          Scorer.score(
              criterion,
              net,
              units.layers(),
              new ScoringData(images, plan.samples(), plan.batchSize(), plan.pooling(), progress));
      if (isFirst) {
        first = Optional.of(new First(criterion.name(), seed, s));
      }
      return s;
    }
  }

  private double accuracy(Model model) {
    try (Network net = new Network(device, model)) {
      return Evaluator.evaluate(net, test, plan.batchSize(), progress).top1();
    }
  }

  private CellResult.Step step(
      int iteration, Model model, Map<String, int[]> removed, double before, double after) {
    Cost cost = Cost.of(model.graph());
    int filters = Units.of(model.graph(), plan.scope()).filters();
    return new CellResult.Step(
        iteration, filters, cost.parameters(), cost.macs(), removed, before, after);
  }

  private Path file(Cell c) {
    return directory.resolve("cells").resolve(c.name() + ".json");
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
    Summary summary = Summary.of(outcome.baseline(), outcome.results(), times);
    ObjectNode json = Json.MAPPER.createObjectNode();
    json.put("device", device.description());
    json.set("libraries", Json.MAPPER.valueToTree(device.versions()));
    json.set("settings", read(directory.resolve("experiment.json"), JsonNode.class));
    json.set("baseline", Json.MAPPER.valueToTree(outcome.baseline()));
    json.set("ranking", Json.MAPPER.valueToTree(summary.ranking()));
    json.set("cells", Json.MAPPER.valueToTree(outcome.results()));
    json.set("times", Json.MAPPER.valueToTree(times));
    Json.write(directory.resolve("results.json"), json);
    text("results.csv", Summary.csv(outcome.results(), times));
    boolean finetuned = plan.finetune().isPresent();
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

  private static <T> T read(Path file, Class<T> type) throws IOException {
    try {
      return Json.MAPPER.readValue(file.toFile(), type);
    } catch (JsonProcessingException e) {
      throw new SecateurException(file + ": is damaged; remove it to have it made anew", e);
    }
  }
}
