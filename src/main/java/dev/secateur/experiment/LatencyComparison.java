package dev.secateur.experiment;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SettingException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.DeadFilters;
import dev.secateur.prune.Images;
import dev.secateur.prune.Pruner;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Selection;
import dev.secateur.prune.Surgery;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.prune.latency.LatencyModel;
import dev.secateur.prune.latency.LatencySelection;
import dev.secateur.prune.latency.Measured;
import dev.secateur.prune.latency.StepLatency;
import dev.secateur.prune.latency.Stopwatch;
import dev.secateur.train.ProgressListener;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Four ways to choose filters by the same importance, each brought to the same measured latency,
 * then fine-tuned alike: one global threshold, the threshold with layers rounded to the device's
 * step, and the knapsack of two losses. Choices are made by importance on training images and by
 * latency alone; accuracies are on the test images and decide nothing.
 *
 * <p>How many filters go is found in a closed loop: what is asked of the table is corrected by the
 * measured ratio of both networks until that is near the target. Rounded layers leave few latencies
 * to choose from, so theirs, the nearest to the target, is what the others of the same seed aim at.
 */
public final class LatencyComparison {
  private static final int MOST_TRIES = 8;
  private static final String ORIGINAL = "original";

  private final Device device;
  private final Model original;
  private final Dataset train;
  private final Dataset test;
  private final Settings settings;
  private final StepLatency steps;
  private final Stopwatch stopwatch;
  private final ProgressListener progress;

  /**
   * @param train all training images
   * @param test what accuracies are measured on
   * @param steps times of steps on the device
   * @param stopwatch times whole networks there
   */
  public LatencyComparison(
      Device device,
      Model original,
      Dataset train,
      Dataset test,
      Settings settings,
      StepLatency steps,
      Stopwatch stopwatch,
      ProgressListener progress) {
    this.device = device;
    this.original = original;
    this.train = train;
    this.test = test;
    this.settings = settings;
    this.steps = steps;
    this.stopwatch = stopwatch;
    this.progress = progress;
  }

  /** Ways to choose, in the order in which they are tried. */
  public enum Method {
    /** The least importance of all layers, layers rounded to a multiple. */
    ROUNDED,
    /** The least importance of all layers. */
    PLAIN,
    /** A knapsack: the least sum of importance lost. */
    SUMS,
    /** A knapsack of the shares of each layer's importance, as {@code prune --target-latency}. */
    SHARES;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * What all cells share.
   *
   * @param recipe of all but the seed; {@code stop.latency} is the target, a part of the original's
   *     measured time; rounding is left to {@code roundTo}
   * @param roundTo the multiple of {@link Method#ROUNDED}
   * @param tolerance how far the measured part may be from the target, as a part of the target
   */
  public record Settings(Recipe recipe, int roundTo, double tolerance) {
    public Settings {
      if (!recipe.sparseTraining().none()) {
        throw new SettingException(
            "sparse-training.kind",
            recipe.sparseTraining().kind() + ": a comparison at one latency begins with removals");
      }
      // each way chooses among all filters, dead ones, which matter nothing, among them
      recipe = recipe.with("choice.dead-filters", DeadFilters.Rule.RANK);
    }

    double target() {
      return recipe.stop().latency().orElseThrow().value();
    }
  }

  /**
   * One way at one seed.
   *
   * @param predicted part of the original's time by the table
   * @param tries how often a choice was measured
   * @param widths filters left by convolution
   * @param pruned top-1 in per cent on the test images before fine-tuning
   * @param tuned after fine-tuning
   */
  public record Cell(
      long seed,
      Method method,
      double predicted,
      Measured measured,
      int tries,
      long parameters,
      long macs,
      Map<String, Integer> widths,
      double pruned,
      double tuned) {}

  /**
   * @param top1 the original's, on the test images
   * @param cells by seed, then by method
   */
  public record Result(double target, double top1, List<Cell> cells) {}

  private Pruner pruner(Recipe recipe) {
    return new Pruner(recipe, Images.of(train, recipe).evaluatedOn(test), progress);
  }

  /**
   * Fills a directory cell by cell; those already there are kept.
   *
   * @param config what the comparison is; one that goes on must have the same
   * @param listener told each cell, also those of an earlier start
   * @throws dev.secateur.SecateurException where the target is out of reach, or the directory is of
   *     another comparison
   */
  public Result run(List<Long> seeds, Path directory, ObjectNode config, Consumer<Cell> listener)
      throws IOException {
    Cells cells = new Cells(directory, config);
    try (Network net = new Network(device, original)) {
      if (!cells.has(ORIGINAL)) {
        double top1 = pruner(settings.recipe).evaluate(net).top1();
        cells.put(ORIGINAL, Map.of("top1", top1));
      }
      List<Cell> all = new ArrayList<>();
      for (long seed : seeds) {
        Pruner pruner = pruner(settings.recipe.with("seed", seed));
        Optional<Pruner.Scores> scores = Optional.empty();
        double target = settings.target();
        for (Method method : Method.values()) {
          String name = "seed-" + seed + "-" + method;
          if (!cells.has(name)) {
            scores = Optional.of(scores.orElseGet(() -> pruner.score(net)));
            cells.put(name, cell(seed, method, target, scores.get(), net, pruner));
          }
          Cell cell = cells.get(name, Cell.class);
          target = method == Method.ROUNDED ? cell.measured.ratio() : target;
          all.add(cell);
          listener.accept(cell);
        }
      }
      double top1 = (Double) cells.get(ORIGINAL, Map.class).get("top1");
      return new Result(settings.target(), top1, all);
    }
  }

  private Cell cell(
      long seed, Method method, double target, Pruner.Scores scores, Network net, Pruner pruner) {
    Match match = match(chooser(method, scores.importance()), target);
    Pruner.Step step =
        pruner.step( // the teacher, where there is one, is the whole network
            original.graph(), net, 1, (o, n, groups, i) -> match.removal, Optional.of(scores));
    try (Network smaller = step.network()) {
      Graph graph = smaller.graph();
      Map<String, Integer> widths = new LinkedHashMap<>();
      groups().layers().forEach(l -> widths.put(l, graph.shape(l).size(1)));
      return new Cell(
          seed,
          method,
          LatencyModel.of(graph, steps) / LatencyModel.of(original.graph(), steps),
          match.measured,
          match.tries,
          Cost.of(graph).parameters(),
          Cost.of(graph).macs(),
          widths,
          step.cut().top1(),
          step.tuned().top1());
    }
  }

  private ChannelGroups groups() {
    return settings.recipe.groups(original.graph());
  }

  // ---- the same latency ------------------------------------------------------------------------

  /** What goes so that the network takes at most so many milliseconds by the table. */
  private interface Chooser {
    Optional<Removal> within(double milliseconds);
  }

  private Chooser chooser(Method method, Importance importance) {
    int multiple = method == Method.ROUNDED ? settings.roundTo : 1;
    Recipe.Choice choice = settings.recipe.with("choice.round-to", multiple).choice();
    Graph graph = original.graph();
    if (method == Method.SUMS || method == Method.SHARES) {
      LatencySelection.Loss loss =
          method == Method.SUMS ? LatencySelection.Loss.SUM : LatencySelection.Loss.SHARE;
      return LatencySelection.of(groups(), importance, choice, graph, steps, loss)::within;
    }
    Selection selection =
        new Selection(
            groups(), choice.order(groups(), importance), choice.constraints(graph), graph);
    return ms -> selection.until(g -> LatencyModel.of(g, steps) <= ms);
  }

  private record Match(Removal removal, Measured measured, int tries) {
    double error(double target) {
      return Math.abs(measured.ratio() / target - 1);
    }
  }

  /** The choice whose measured latency is nearest to the target, of some. */
  private Match match(Chooser chooser, double target) {
    double whole = LatencyModel.of(original.graph(), steps);
    double asked = target;
    Optional<Match> best = Optional.empty();
    List<Removal> seen = new ArrayList<>();
    for (int tries = 1; tries <= MOST_TRIES; tries++) {
      Optional<Removal> removal = chooser.within(asked * whole);
      if (removal.isEmpty() || seen.contains(removal.get())) {
        break;
      }
      seen.add(removal.get());
      Model model = Surgery.remove(original, removal.get());
      Match now = new Match(removal.get(), stopwatch.time(original, model), tries);
      if (best.isEmpty() || now.error(target) < best.get().error(target)) {
        best = Optional.of(now);
      }
      if (now.error(target) <= settings.tolerance) {
        break;
      }
      asked = Math.min(0.999, asked * target / now.measured.ratio());
    }
    return best.orElseThrow(
        () -> new SettingException("stop.latency", target + ": no choice of filters is so fast"));
  }
}
