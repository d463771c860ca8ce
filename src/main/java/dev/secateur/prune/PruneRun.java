package dev.secateur.prune;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.data.Dataset;
import dev.secateur.data.HoldOut;
import dev.secateur.device.Device;
import dev.secateur.io.Json;
import dev.secateur.io.Models;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.nn.Node;
import dev.secateur.train.EpochMetrics;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.train.ProgressListener;
import dev.secateur.train.Trainer;
import dev.secateur.train.TrainingOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * The main job: score, remove, fine-tune, again and again (paper, algorithm 1). Scoring and
 * fine-tuning see training images only; stop rules look at a held-out part of them.
 */
public final class PruneRun {
  /** Measurements that correct what the table of a latency goal says. */
  private static final int CORRECTIONS = 4;

  /** Images that the plane of projection.json is fitted to. */
  private static final int PROJECTION_FIT = 4000;

  /** Points in it. */
  private static final int PROJECTED = 600;

  private final Device device;
  private final PruneOptions options;
  private final HoldOut data;
  private final ProgressListener progress;
  private final Consumer<IterationMetrics> listener;

  private PruneRun(
      Device device,
      PruneOptions options,
      HoldOut data,
      ProgressListener progress,
      Consumer<IterationMetrics> listener) {
    this.device = device;
    this.options = options;
    this.data = data;
    this.progress = progress;
    this.listener = listener;
  }

  /**
   * What came of a run.
   *
   * @param chosen the iteration that {@code model.sct} is
   * @param stoppedBy iterations, max-drop, or the targets' options, separated by commas
   */
  public record Result(List<IterationMetrics> iterations, int chosen, String stoppedBy) {}

  /**
   * Prunes into a run directory.
   *
   * @param train all training images
   * @param config what identifies the run, kept in run.json
   * @param resume go on with a run that is there
   * @param listener told each iteration, also those of an earlier start
   * @throws SecateurException for data that does not fit, a rate or target that cannot be, a
   *     pattern without layers, a directory in use
   */
  public static Result prune(
      Device device,
      Model model,
      Dataset train,
      PruneOptions options,
      Path directory,
      ObjectNode config,
      boolean resume,
      ProgressListener progress,
      Consumer<IterationMetrics> listener)
      throws IOException {
    checkPossible(model.graph(), options);
    RunDirectory run = RunDirectory.open(directory, config, resume);
    HoldOut parts = HoldOut.of(train, options.holdOut(), options.seed());
    return new PruneRun(device, options, parts, progress, listener).run(model, run, directory);
  }

  /** Says before the first batch what could only be found out after many. */
  private static void checkPossible(Graph graph, PruneOptions options) {
    Constraints constraints = options.constraints();
    constraints.check(
        graph.nodes().stream().filter(n -> Units.filters(n.op())).map(Node::name).toList());
    Units units = Units.of(graph, options.scope(), constraints::keeps);
    Selection selection = Selection.unscored(units, constraints, graph);
    Graph least = Surgery.shrink(graph, selection.all());
    for (Target t : options.targets()) {
      if (!t.reached(graph, least)) {
        throw new SecateurException(t.unreachable(graph, least));
      }
    }
    if (options.latency().isPresent()) {
      LatencyGoal goal = options.latency().get();
      if (!goal.reached(graph, least)) {
        throw new SecateurException(goal.unreachable(graph, least));
      }
      return; // the rate is of milliseconds
    }
    double lost =
        units.filters() * (1 - Math.pow(1 - options.rate().orElse(1.0), options.iterations()));
    if (selection.urgent() > lost) {
      throw new SecateurException(
          String.format(
              Locale.ROOT,
              "--min-rate asks for %d of %d filters, but --iterations %d at --rate %s removes %.0f",
              selection.urgent(),
              units.filters(),
              options.iterations(),
              options.rate().orElseThrow(),
              lost));
    }
  }

  private Result run(Model original, RunDirectory run, Path directory) throws IOException {
    List<IterationMetrics> done = new ArrayList<>();
    for (int i = 0; i < run.iterations(); i++) {
      done.add(run.metrics(i));
      listener.accept(done.get(i));
    }
    Model model = done.isEmpty() ? original : run.model(done.size() - 1);
    while (true) {
      String reason = done.isEmpty() ? "" : stop(done, original.graph(), model.graph());
      if (!reason.isEmpty()) {
        int last = done.size() - 1;
        int chosen = reason.equals("max-drop") ? last - 1 : last;
        Models.save(run.model(chosen), directory.resolve("model.sct"));
        ObjectNode json = Json.MAPPER.createObjectNode();
        json.set("config", run.config());
        json.put("stoppedBy", reason);
        json.put("chosenIteration", chosen);
        json.put("device", device.description());
        json.set("libraries", Json.MAPPER.valueToTree(device.versions()));
        json.set("environment", Json.MAPPER.valueToTree(environment()));
        project(run, chosen);
        run.writeRun(json);
        return new Result(done, chosen, reason);
      }
      model = iterate(original, model, done, run);
      run.writeSummary(done);
      listener.accept(done.get(done.size() - 1));
    }
  }

  /** What libraries do not tell, and what a resumed run has too. */
  private static Map<String, String> environment() {
    Map<String, String> out = new LinkedHashMap<>();
    out.put("java", System.getProperty("java.runtime.version"));
    out.put("javaVendor", System.getProperty("java.vendor"));
    out.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    out.put("architecture", System.getProperty("os.arch"));
    out.put("processors", Integer.toString(Runtime.getRuntime().availableProcessors()));
    return out;
  }

  /** Once, of the first and the last network: fitting costs less than a scoring. */
  private void project(RunDirectory run, int chosen) throws IOException {
    Optional<ProjectedImages> before = project(run.model(0));
    Optional<ProjectedImages> after = project(run.model(chosen));
    if (before.isPresent() && after.isPresent()) {
      run.writeProjections(new Projections(data.held().classNames(), before.get(), after.get()));
    }
  }

  private Optional<ProjectedImages> project(Model model) {
    Units units = Units.of(model.graph(), options.scope(), options.constraints()::keeps);
    ScoringData fit =
        new ScoringData(
            data.train(),
            Math.min(PROJECTION_FIT, options.samples()),
            options.scoringBatch(),
            options.pooling(),
            progress);
    ScoringData shown =
        new ScoringData(
            data.held(), PROJECTED, options.scoringBatch(), options.pooling(), progress);
    try (Network net = new Network(device, model)) {
      return options.criterion().project(net, units.layers(), fit, shown);
    }
  }

  private String stop(List<IterationMetrics> done, Graph original, Graph now) {
    IterationMetrics first = done.get(0);
    IterationMetrics last = done.get(done.size() - 1);
    if (options.maxDrop().filter(d -> first.accuracy() - last.accuracy() > d).isPresent()) {
      return "max-drop";
    }
    List<Target> targets = options.targets();
    if (!targets.isEmpty() && Target.reached(targets, original, now)) {
      return targets.stream().map(Target::option).collect(Collectors.joining(","));
    }
    if (options.latency().filter(goal -> goal.reached(original, now)).isPresent()) {
      return LatencyGoal.OPTION;
    }
    return last.iteration() >= options.iterations() ? "iterations" : "";
  }

  private Model iterate(Model original, Model model, List<IterationMetrics> done, RunDirectory run)
      throws IOException {
    int number = done.size();
    Instant start = Instant.now();
    if (number == 0) {
      Evaluation e = evaluate(model);
      done.add(metrics(0, model.graph(), Map.of(), e.top1(), e, List.of()));
      Scores none = new Scores(options.criterion().name(), Map.of());
      run.save(0, model, done.get(0), none, RunTime.since(start));
      return model;
    }
    Units units = Units.of(model.graph(), options.scope(), options.constraints()::keeps);
    Scores scores;
    try (Network net = new Network(device, model)) {
      scores =
          Scorer.score(
              options.criterion(),
              net,
              units.layers(),
              new ScoringData(
                  data.train(),
                  options.samples(),
                  options.scoringBatch(),
                  options.pooling(),
                  progress));
    }
    Map<String, int[]> removed = select(original, model, units, scores);
    Model smaller = Surgery.remove(model, removed);
    double afterPruning = evaluate(smaller).top1();
    List<EpochMetrics> epochs = List.of();
    if (options.fineTuning().isPresent()) {
      TrainingOptions t = options.fineTuning().get();
      TrainingOptions own =
          new TrainingOptions(
              t.batch(), t.schedule(), t.sgd(), t.augmentation(), t.seed() + number);
      try (Network net = new Network(device, smaller)) {
        epochs = Trainer.train(net, data.train(), own, progress);
        smaller = net.toModel();
      }
    }
    done.add(metrics(number, smaller.graph(), removed, afterPruning, evaluate(smaller), epochs));
    run.save(number, smaller, done.get(number), scores, RunTime.since(start));
    return smaller;
  }

  private Map<String, int[]> select(Model original, Model model, Units units, Scores scores)
      throws IOException {
    if (options.latency().isPresent()) {
      return fastEnough(original, model, units, scores, options.latency().get());
    }
    Selection selection =
        new Selection(units, scores, options.groupScore(), options.constraints(), original.graph());
    List<Target> targets = options.targets();
    Map<String, int[]> removed = Map.of();
    if (options.rate().isPresent()
        && (targets.isEmpty() || selection.allows(options.rate().get()))) {
      removed = selection.lowest(options.rate().get());
    }
    if (removed.isEmpty() && !targets.isEmpty()) {
      // no rate, or it is too much or too little for what is left: the last step
      removed =
          selection
              .until(g -> Target.reached(targets, original.graph(), g))
              .orElseThrow(() -> new SecateurException("the targets are out of reach"));
    }
    if (removed.isEmpty()) {
      int multiple = options.constraints().roundTo();
      throw new SecateurException(
          "rate "
              + options.rate().orElseThrow()
              + " removes no filter of the "
              + units.filters()
              + " left"
              + (multiple > 1 ? " when those kept are multiples of " + multiple : ""));
    }
    return removed;
  }

  /**
   * By the table; where this iteration is to reach the goal, corrected by whole networks, measured,
   * until it does.
   */
  private Map<String, int[]> fastEnough(
      Model original, Model model, Units units, Scores scores, LatencyGoal goal)
      throws IOException {
    LatencySelection selection =
        LatencySelection.of(
            units,
            scores,
            options.groupScore(),
            options.constraints(),
            original.graph(),
            goal.clock(),
            LatencySelection.Loss.SHARE);
    double limit = goal.step(original.graph(), units.graph(), options.rate().orElse(1.0));
    boolean last = limit <= goal.limit(original.graph());
    Map<String, int[]> removed =
        selection
            .within(limit)
            .filter(r -> !r.isEmpty())
            .orElseThrow(
                () ->
                    new SecateurException(
                        String.format(
                            Locale.ROOT,
                            "no choice of filters brings inference from %.4g to %.4g ms",
                            goal.predicted(units.graph()),
                            limit)));
    double asked = limit;
    for (int i = 0; last && i < CORRECTIONS && goal.stopwatch().isPresent(); i++) {
      Model smaller = Surgery.remove(model, removed);
      double excess = goal.excess(goal.stopwatch().get().time(original, smaller));
      Optional<Map<String, int[]>> tighter =
          excess <= 1 ? Optional.empty() : selection.within(asked / excess);
      if (tighter.isEmpty()) {
        break;
      }
      asked /= excess;
      removed = tighter.get();
    }
    return removed;
  }

  private Evaluation evaluate(Model model) {
    try (Network net = new Network(device, model)) {
      return Evaluator.evaluate(net, data.held(), options.scoringBatch(), progress);
    }
  }

  private IterationMetrics metrics(
      int number,
      Graph graph,
      Map<String, int[]> removed,
      double afterPruning,
      Evaluation e,
      List<EpochMetrics> epochs) {
    Cost cost = Cost.of(graph);
    return new IterationMetrics(
        number,
        Units.of(graph, options.scope(), options.constraints()::keeps).filters(),
        cost.parameters(),
        cost.macs(),
        removed,
        afterPruning,
        e.top1(),
        e.loss(),
        epochs);
  }
}
