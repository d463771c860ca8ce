package dev.secateur.prune;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.data.DataSets;
import dev.secateur.data.Dataset;
import dev.secateur.data.HoldOut;
import dev.secateur.device.Device;
import dev.secateur.io.Json;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Pooling;
import dev.secateur.train.Evaluator;
import dev.secateur.train.ProgressListener;
import dev.secateur.train.Trainer;
import dev.secateur.train.TrainingOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Four ways to choose filters by the same scores, each brought to the same measured latency, then
 * fine-tuned alike: one global threshold, the threshold with layers rounded to the device's step,
 * and the knapsack of two losses. Choices are made by scores on training images and by latency
 * alone; accuracies are on the test images and decide nothing.
 *
 * <p>How many filters go is found in a closed loop: what is asked of the table is corrected by the
 * measured ratio of both networks until that is near the target. Rounded layers leave few latencies
 * to choose from, so theirs, the nearest to the target, is what the others of the same seed aim at.
 */
public final class LatencyComparison {
  private static final int MOST_TRIES = 8;
  private static final double HOLD_OUT = 0.1;

  private final Device device;
  private final Model original;
  private final Dataset train;
  private final Dataset test;
  private final Settings settings;
  private final StepClock clock;
  private final Stopwatch stopwatch;
  private final ProgressListener progress;

  private LatencyComparison(
      Device device,
      Model original,
      Dataset train,
      Dataset test,
      Settings settings,
      StepClock clock,
      Stopwatch stopwatch,
      ProgressListener progress) {
    this.device = device;
    this.original = original;
    this.train = train;
    this.test = test;
    this.settings = settings;
    this.clock = clock;
    this.stopwatch = stopwatch;
    this.progress = progress;
  }

  /** Ways to choose, in the order in which they are tried. */
  public enum Method {
    /** The lowest scores of all layers, layers rounded to a multiple. */
    ROUNDED,
    /** The lowest scores of all layers. */
    PLAIN,
    /** A knapsack: the least sum of scores lost. */
    SUMS,
    /** A knapsack of the shares of each layer's scores, as {@code prune --target-latency}. */
    SHARES
  }

  /**
   * What all cells share.
   *
   * @param constraints rounding there is left to {@code roundTo}
   * @param roundTo the multiple of {@link Method#ROUNDED}
   * @param target part of the original's measured time
   * @param tolerance how far the measured part may be from the target, as a part of the target
   * @param samples training images to score on
   * @param tuning each cell's seed is the cell's; empty for none
   * @param tuningSamples training images to fine-tune on, at most
   */
  public record Settings(
      Scope scope,
      GroupScore groupScore,
      Constraints constraints,
      int roundTo,
      Criterion criterion,
      Pooling pooling,
      int samples,
      int scoringBatch,
      double target,
      double tolerance,
      Optional<TrainingOptions> tuning,
      int tuningSamples) {}

  /** Times two networks in turn. */
  public interface Stopwatch {
    Measured time(Model original, Model pruned) throws IOException;
  }

  /**
   * @param ratio median of the pruned network's time by the original's, turn by turn
   * @param low95 lower end of its 95 % interval
   * @param high95 upper end
   * @param milliseconds of the pruned network, median
   */
  public record Measured(double ratio, double low95, double high95, double milliseconds) {}

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

  /**
   * Fills a directory cell by cell; those already there are kept.
   *
   * @param config what the comparison is, kept in run.json; one that goes on must have the same
   * @param listener told each cell, also those of an earlier start
   * @throws SecateurException where the target is out of reach, or the directory is of another run
   */
  public static Result run(
      Device device,
      Model model,
      Dataset train,
      Dataset test,
      Settings settings,
      List<Long> seeds,
      StepClock clock,
      Stopwatch stopwatch,
      Path directory,
      ObjectNode config,
      ProgressListener progress,
      Consumer<Cell> listener)
      throws IOException {
    RunDirectory.open(directory, config, Files.exists(directory.resolve("run.json")));
    return new LatencyComparison(device, model, train, test, settings, clock, stopwatch, progress)
        .run(seeds, directory, listener);
  }

  private Result run(List<Long> seeds, Path directory, Consumer<Cell> listener) throws IOException {
    Path first = directory.resolve("original.json");
    if (!Files.exists(first)) {
      Json.write(first, Map.of("top1", top1(original)));
    }
    double top1 = Json.MAPPER.readTree(first.toFile()).get("top1").asDouble();
    List<Cell> cells = new ArrayList<>();
    for (long seed : seeds) {
      Dataset images = HoldOut.of(train, HOLD_OUT, seed).train();
      Optional<Scores> scores = Optional.empty();
      double target = settings.target;
      for (Method method : Method.values()) {
        String name =
            String.format(
                Locale.ROOT, "seed-%d-%s.json", seed, method.name().toLowerCase(Locale.ROOT));
        Path file = directory.resolve("cells").resolve(name);
        if (!Files.exists(file)) {
          scores = Optional.of(scores.isPresent() ? scores.get() : score(images));
          Json.write(file, cell(seed, method, target, scores.get(), images));
        }
        Cell cell = Json.MAPPER.readValue(file.toFile(), Cell.class);
        target = method == Method.ROUNDED ? cell.measured.ratio : target;
        cells.add(cell);
        listener.accept(cell);
      }
    }
    return new Result(settings.target, top1, cells);
  }

  private Units units() {
    return Units.of(original.graph(), settings.scope, settings.constraints::keeps);
  }

  private Scores score(Dataset images) {
    try (Network net = new Network(device, original)) {
      return Scorer.score(
          settings.criterion,
          net,
          units().layers(),
          new ScoringData(
              images, settings.samples, settings.scoringBatch, settings.pooling, progress));
    }
  }

  private double top1(Model model) {
    try (Network net = new Network(device, model)) {
      return Evaluator.evaluate(net, test, settings.scoringBatch, progress).top1();
    }
  }

  private Cell cell(long seed, Method method, double target, Scores scores, Dataset images)
      throws IOException {
    Match match = match(chooser(method, scores), target);
    Model model = match.model;
    double pruned = top1(model);
    double tuned = pruned;
    if (settings.tuning.isPresent()) {
      TrainingOptions t = settings.tuning.get();
      TrainingOptions own =
          new TrainingOptions(t.batch(), t.schedule(), t.sgd(), t.augmentation(), seed);
      try (Network net = new Network(device, model)) {
        Trainer.train(net, DataSets.spread(images, settings.tuningSamples), own, progress);
        model = net.toModel();
      }
      tuned = top1(model);
    }
    Graph graph = model.graph();
    Map<String, Integer> widths = new LinkedHashMap<>();
    units().layers().forEach(l -> widths.put(l, graph.shape(l).size(1)));
    return new Cell(
        seed,
        method,
        LatencyModel.of(graph, clock) / LatencyModel.of(original.graph(), clock),
        match.measured,
        match.tries,
        Cost.of(graph).parameters(),
        Cost.of(graph).macs(),
        widths,
        pruned,
        tuned);
  }

  // ---- the same latency ------------------------------------------------------------------------

  /** What goes so that the network takes at most so many milliseconds by the table. */
  private interface Chooser {
    Optional<Map<String, int[]>> within(double milliseconds);
  }

  private Chooser chooser(Method method, Scores scores) {
    Constraints c = settings.constraints;
    int multiple = method == Method.ROUNDED ? settings.roundTo : 1;
    Constraints own = new Constraints(multiple, c.keep(), c.minRates(), c.maxRates());
    Units units = units();
    Graph graph = original.graph();
    if (method == Method.SUMS || method == Method.SHARES) {
      LatencySelection.Loss loss =
          method == Method.SUMS ? LatencySelection.Loss.SUM : LatencySelection.Loss.SHARE;
      return LatencySelection.of(units, scores, settings.groupScore, own, graph, clock, loss)
          ::within;
    }
    Selection selection = new Selection(units, scores, settings.groupScore, own, graph);
    return ms -> selection.until(g -> LatencyModel.of(g, clock) <= ms);
  }

  private record Match(Model model, Measured measured, int tries) {
    double error(double target) {
      return Math.abs(measured.ratio / target - 1);
    }
  }

  /** The choice whose measured latency is nearest to the target, of some. */
  private Match match(Chooser chooser, double target) throws IOException {
    double whole = LatencyModel.of(original.graph(), clock);
    double asked = target;
    Optional<Match> best = Optional.empty();
    List<Map<String, int[]>> seen = new ArrayList<>();
    for (int tries = 1; tries <= MOST_TRIES; tries++) {
      Optional<Map<String, int[]>> removed = chooser.within(asked * whole);
      if (removed.isEmpty() || seen.stream().anyMatch(s -> same(s, removed.get()))) {
        break;
      }
      seen.add(removed.get());
      Model model = Surgery.remove(original, removed.get());
      Match now = new Match(model, stopwatch.time(original, model), tries);
      if (best.isEmpty() || now.error(target) < best.get().error(target)) {
        best = Optional.of(now);
      }
      if (now.error(target) <= settings.tolerance) {
        break;
      }
      asked = Math.min(0.999, asked * target / now.measured.ratio);
    }
    return best.orElseThrow(
        () ->
            new SecateurException(
                "--target-latency " + target + ": no choice of filters is so fast"));
  }

  private static boolean same(Map<String, int[]> a, Map<String, int[]> b) {
    return a.keySet().equals(b.keySet())
        && a.entrySet().stream().allMatch(e -> Arrays.equals(e.getValue(), b.get(e.getKey())));
  }
}
