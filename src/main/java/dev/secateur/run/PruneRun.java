package dev.secateur.run;

import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.nn.Cost;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Model;
import dev.secateur.nn.Network;
import dev.secateur.prune.ChannelGroups;
import dev.secateur.prune.Images;
import dev.secateur.prune.OpenNetwork;
import dev.secateur.prune.Pruner;
import dev.secateur.prune.RatioSelector;
import dev.secateur.prune.Recipe;
import dev.secateur.prune.Recipe.SparseTraining;
import dev.secateur.prune.Removal;
import dev.secateur.prune.Selector;
import dev.secateur.prune.SparsePenalty;
import dev.secateur.prune.Target;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.prune.criterion.ProjectedImages;
import dev.secateur.prune.latency.LatencyGoal;
import dev.secateur.prune.latency.LatencySelector;
import dev.secateur.train.EpochMetrics;
import dev.secateur.train.Evaluation;
import dev.secateur.train.ProgressListener;
import dev.secateur.util.Cleanup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * The main job on disk: {@link Pruner#step} again and again into a run directory, until a rule of
 * the recipe ends it. Scoring and fine-tuning see training images only; the rules look at a
 * held-out part of them.
 */
public final class PruneRun {
  private final Device device;
  private final Model original;
  private final Recipe recipe;
  private final Optional<LatencyGoal> goal;
  private final Selector selector;
  private final Images images;
  private final Pruner pruner;
  private final ProgressListener progress;
  private final RunDirectory directory;
  private final Upkeep upkeep;
  private final Consumer<IterationMetrics> listener;

  private PruneRun(
      Device device,
      Model original,
      Recipe recipe,
      Optional<LatencyGoal> goal,
      Selector selector,
      Images images,
      Pruner pruner,
      ProgressListener progress,
      RunDirectory directory,
      Upkeep upkeep,
      Consumer<IterationMetrics> listener) {
    this.device = device;
    this.original = original;
    this.recipe = recipe;
    this.goal = goal;
    this.selector = selector;
    this.images = images;
    this.pruner = pruner;
    this.progress = progress;
    this.directory = directory;
    this.upkeep = upkeep;
    this.listener = listener;
  }

  /**
   * What came of a run.
   *
   * @param chosen the iteration that {@code model.sct} is
   * @param stoppedBy settings of the recipe's {@code stop}, separated by commas
   * @param latency where the recipe asks for one
   */
  public record Result(
      List<IterationMetrics> iterations,
      int chosen,
      String stoppedBy,
      Optional<LatencyOutcome> latency) {}

  /**
   * The recipe of a run that was begun in a directory, which goes on with it whatever the defaults
   * have become since.
   *
   * @throws dev.secateur.SecateurException for a run.json that is damaged
   */
  public static Optional<Recipe> recipe(Path directory) {
    Path file = directory.resolve("run.json");
    return Files.exists(file) ? Optional.of(RunRecord.read(file).recipe()) : Optional.empty();
  }

  /**
   * What a run that was begun in a directory computes in.
   *
   * @throws dev.secateur.SecateurException for a run.json that is damaged
   */
  public static Optional<String> math(Path directory) {
    Path file = directory.resolve("run.json");
    return Files.exists(file)
        ? Optional.of(RunRecord.read(file).inputs().math())
        : Optional.empty();
  }

  /**
   * Prunes into a run directory.
   *
   * @param train all training images
   * @param inputs what the run begins with, kept in run.json
   * @param upkeep whether it goes on with a run that is there, and what else keeps it from being
   *     lost
   * @param listener told each iteration, also those of an earlier start
   * @throws dev.secateur.SecateurException for data that does not fit, a ratio or target that
   *     cannot be, a pattern without layers, a directory in use
   */
  public static Result prune(
      Device device,
      Model model,
      Dataset train,
      Recipe recipe,
      Path directory,
      RunInputs inputs,
      Upkeep upkeep,
      ProgressListener progress,
      Consumer<IterationMetrics> listener)
      throws IOException {
    Optional<LatencyGoal> goal = LatencyOutcome.goal(device, recipe.stop());
    return prune(device, model, train, recipe, goal, directory, inputs, upkeep, progress, listener);
  }

  /** The same with the goal given. */
  static Result prune(
      Device device,
      Model model,
      Dataset train,
      Recipe given,
      Optional<LatencyGoal> goal,
      Path directory,
      RunInputs inputs,
      Upkeep upkeep,
      ProgressListener progress,
      Consumer<IterationMetrics> listener)
      throws IOException {
    Graph graph = model.graph();
    Images.check(train, given.resolved(graph));
    List<String> layers = ChannelGroups.layers(graph, given.choice().scope());
    given.choice().constraints(graph).check(layers);
    Recipe recipe = given.resolved(graph);
    Selector selector =
        goal.isPresent()
            ? new LatencySelector(recipe, goal.get(), model)
            : new RatioSelector(recipe);
    selector.checkPossible(graph);
    SparsePenalty.check(recipe, graph);
    recipe.criterion().check(graph, recipe.scored(graph), train);
    RunRecord record = new RunRecord(inputs, recipe, Optional.empty());
    RunDirectory run = RunDirectory.open(directory, record, upkeep);
    Images images = Images.of(train, recipe);
    Model marked = model.with("pruned by", record.identity().toString());
    return new PruneRun(
            device,
            marked,
            recipe,
            goal,
            selector,
            images,
            new Pruner(recipe, images, progress),
            progress,
            run,
            upkeep,
            listener)
        .run(record);
  }

  private Result run(RunRecord record) throws IOException {
    List<IterationMetrics> done = new ArrayList<>();
    for (int i = 0; i < directory.iterations(); i++) {
      done.add(directory.metrics(i));
      listener.accept(done.get(i));
    }
    if (done.isEmpty()) {
      begin(record, done);
    }
    Model model = directory.model(done.size() - 1);
    String reason = stop(done, model.graph());
    if (reason.isEmpty()) {
      reason = iterate(record, done, model);
    }
    int last = done.size() - 1;
    int chosen = reason.equals("max-drop") ? last - 1 : last;
    Model result = chosen == 0 ? original : directory.model(chosen);
    directory.writeResult(result);
    project(original, result);
    Optional<LatencyOutcome> latency =
        goal.map(
            g -> LatencyOutcome.measure(device, recipe.stop().latencyBatch(), g, original, result));
    latency.ifPresent(directory::write);
    directory.write(
        new RunRecord(
            record.inputs(),
            record.recipe(),
            Optional.of(RunRecord.Outcome.of(reason, chosen, device))));
    return new Result(done, chosen, reason, latency);
  }

  /** Iteration 0: the network as it came, trained sparse where the recipe says so. */
  private void begin(RunRecord record, List<IterationMetrics> done) throws IOException {
    Instant start = Instant.now();
    Importance none = new Importance(recipe.scoring().criterion(), Map.of());
    try (Network net = new Network(device, original)) {
      Evaluation e = pruner.taughtBy(net).evaluate(net);
      if (recipe.sparseTraining().none()) {
        add(done, original, Removal.NONE, Removal.NONE, e, e, List.of(), none, start);
        return;
      }
      try (Network teacher = new Network(device, original)) {
        List<EpochMetrics> epochs =
            pruner.trainSparse(net, chosen(net), teacher, logging(done), checkpoint(record, 0));
        Evaluation sparse = pruner.taughtBy(teacher).evaluate(net);
        add(done, net.toModel(), Removal.NONE, Removal.NONE, e, sparse, epochs, none, start);
      }
    }
  }

  /** What growing regularisation makes small and the first removal takes: chosen once. */
  private Optional<Pruner.Chosen> chosen(Network net) throws IOException {
    Optional<Pruner.Chosen> earlier = directory.chosen();
    if (earlier.isPresent() || recipe.sparseTraining().kind() != SparseTraining.Kind.GROWING) {
      return earlier;
    }
    Pruner.Chosen now = pruner.choose(original.graph(), net, selector);
    directory.write(now);
    return Optional.of(now);
  }

  private ProgressListener logging(List<IterationMetrics> done) {
    return new ProgressListener.Forwarding(progress) {
      @Override
      public void epochDone(List<EpochMetrics> epochs) {
        directory.writeEpochs(done, epochs);
        super.epochDone(epochs);
      }
    };
  }

  private CheckpointFile checkpoint(RunRecord record, int number) {
    return new CheckpointFile(directory.checkpoint(number), record, upkeep.resuming());
  }

  /** Steps until a rule holds; which. The network stays on the device between them. */
  private String iterate(RunRecord record, List<IterationMetrics> done, Model model)
      throws IOException {
    try (Network teacher = new Network(device, original);
        OpenNetwork net = new OpenNetwork(new Network(device, model))) {
      while (true) {
        Instant start = Instant.now();
        Pruner.Step s = step(record, done, net.get(), teacher);
        net.replace(s.network());
        add(
            done,
            net.get().toModel(),
            s.removal(),
            s.dead(),
            s.cut(),
            s.tuned(),
            s.epochs(),
            s.importance(),
            start);
        String reason = stop(done, net.get().graph());
        if (!reason.isEmpty()) {
          return reason;
        }
      }
    }
  }

  private Pruner.Step step(
      RunRecord record, List<IterationMetrics> done, Network net, Network teacher)
      throws IOException {
    int number = done.size();
    Pruner pruner = this.pruner.taughtBy(teacher);
    Pruner.Cut cut = cut(pruner, net, number);
    boolean last = !stopAt(number, cut.network().graph()).isEmpty();
    return pruner.tune(cut, number, last, teacher, logging(done), checkpoint(record, number));
  }

  /** What an earlier start has removed in this iteration, or what goes now. */
  private Pruner.Cut cut(Pruner pruner, Network net, int number) throws IOException {
    Optional<CutRecord> earlier = directory.cut(number);
    if (earlier.isPresent()) {
      CutRecord e = earlier.get();
      Network cut = new Network(device, directory.cutModel(number));
      return new Pruner.Cut(cut, e.importance(), e.removal(), e.dead(), e.evaluation());
    }
    Optional<Pruner.Chosen> chosen = number == 1 ? directory.chosen() : Optional.empty();
    Pruner.Cut cut =
        chosen.isPresent()
            ? pruner.cut(net, chosen.get())
            : pruner.cut(original.graph(), net, selector, Optional.empty());
    if (recipe.fineTuning().none()) {
      return cut;
    }
    try {
      CutRecord record =
          new CutRecord(cut.importance(), cut.removal(), cut.dead(), cut.evaluation());
      directory.write(number, record, cut.network().toModel());
      return cut;
    } catch (RuntimeException e) {
      throw Cleanup.after(e, cut.network());
    }
  }

  private void add(
      List<IterationMetrics> done,
      Model model,
      Removal removal,
      Removal dead,
      Evaluation cut,
      Evaluation tuned,
      List<EpochMetrics> epochs,
      Importance importance,
      Instant start)
      throws IOException {
    Cost cost = Cost.of(model.graph());
    IterationMetrics m =
        new IterationMetrics(
            done.size(),
            recipe.prunable(model.graph()),
            cost.parameters(),
            cost.macs(),
            removal,
            dead,
            cut.top1(),
            tuned.top1(),
            tuned.loss(),
            epochs);
    directory.save(done.size(), model, m, importance, RunTime.since(start));
    done.add(m);
    directory.writeSummary(done);
    listener.accept(m);
  }

  private String stop(List<IterationMetrics> done, Graph now) {
    Recipe.Stop stop = recipe.stop();
    IterationMetrics first = done.get(0);
    IterationMetrics last = done.get(done.size() - 1);
    // a sparse training alone removes nothing, and what it costs may come back
    boolean removed = last.iteration() > 0;
    if (stop.maxDrop().filter(d -> removed && first.came() - last.accuracy() > d).isPresent()) {
      return "max-drop";
    }
    return stopAt(last.iteration(), now);
  }

  /** The rule that ends the run whatever its accuracy, where one holds. */
  private String stopAt(int iteration, Graph now) {
    Recipe.Stop stop = recipe.stop();
    if (stop.reached(original.graph(), now)) {
      return stop.targets().stream().map(Target::name).collect(Collectors.joining(","));
    }
    if (goal.filter(g -> g.reached(original.graph(), now)).isPresent()) {
      return "latency";
    }
    return iteration >= stop.iterations().orElseThrow() ? "iterations" : "";
  }

  /** Once, of the first and the last network: fitting costs less than a scoring. */
  private void project(Model first, Model last) {
    if (images.none()) {
      return;
    }
    Optional<ProjectedImages> before = project(first);
    Optional<ProjectedImages> after = project(last);
    if (before.isPresent() && after.isPresent()) {
      directory.write(new Projections(images.evaluation().classNames(), before.get(), after.get()));
    }
  }

  private Optional<ProjectedImages> project(Model model) {
    try (Network net = new Network(device, model)) {
      return pruner.project(net);
    }
  }
}
