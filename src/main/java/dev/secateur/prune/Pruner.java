package dev.secateur.prune;

import dev.secateur.data.Dataset;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Network;
import dev.secateur.prune.criterion.Criterion;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.prune.criterion.ProjectedImages;
import dev.secateur.prune.criterion.ScoringData;
import dev.secateur.train.Checkpoints;
import dev.secateur.train.EpochMetrics;
import dev.secateur.train.Evaluation;
import dev.secateur.train.Evaluator;
import dev.secateur.train.ProgressListener;
import dev.secateur.train.Recalibration;
import dev.secateur.train.Trainer;
import dev.secateur.train.TrainingContext;
import dev.secateur.train.TrainingOptions;
import dev.secateur.util.Cleanup;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Prunes a network on its device (paper, algorithm 1): scores its filters, selects those of least
 * importance, removes them, and fine-tunes what is left. {@link #step} does all of it once; each
 * part can be had alone. Before the first step {@link #trainSparse} may make filters small. The
 * network stays on the device from one step to the next.
 */
public final class Pruner {
  /** Images that the plane of {@link #project} is fitted to. */
  private static final int PROJECTION_FIT = 4000;

  /** Points in it. */
  private static final int PROJECTED = 600;

  private final Recipe recipe;
  private final Images images;
  private final ProgressListener progress;
  private final Criterion criterion;
  private final Optional<Network> teacher;

  /**
   * @param images what scores, fine-tunes and evaluates, such as {@link Images#of}
   */
  public Pruner(Recipe recipe, Images images, ProgressListener progress) {
    this(recipe, images, progress, Optional.empty());
  }

  private Pruner(
      Recipe recipe, Images images, ProgressListener progress, Optional<Network> teacher) {
    this.recipe = recipe.resolved();
    this.images = images;
    this.progress = progress;
    this.criterion = recipe.criterion();
    this.teacher = teacher;
  }

  /**
   * The same with a teacher for {@link #step}, where the recipe distils or images have no classes;
   * else it is the network that a step begins with. What images without classes {@link #evaluate}
   * is how near a network is to it.
   *
   * @param network stays open as long as the pruner is used
   */
  public Pruner taughtBy(Network network) {
    return new Pruner(recipe, images, progress, Optional.of(network));
  }

  /**
   * A network's filters, scored.
   *
   * @param dead those that the network can do without, which were not among those that were ranked;
   *     their importance is 0
   */
  public record Scores(Importance importance, DeadFilters dead) {}

  /**
   * What is to go, before it goes.
   *
   * @param importance of the filters when it was chosen
   * @param removal dead filters among them
   * @param dead filters that the network could do without
   */
  public record Chosen(Importance importance, Removal removal, Removal dead) {}

  /**
   * A network right after a removal.
   *
   * @param network the smaller one; whoever takes the cut closes it
   * @param importance of the filters before the removal
   * @param removal dead filters among them
   * @param dead filters that the network could do without
   * @param evaluation accuracy right after the removal
   */
  public record Cut(
      Network network,
      Importance importance,
      Removal removal,
      Removal dead,
      Evaluation evaluation) {}

  /**
   * What came of a step.
   *
   * @param network the smaller one, fine-tuned; whoever takes the step closes it
   * @param importance of the filters before the removal
   * @param removal dead filters among them
   * @param dead filters that the network could do without
   * @param cut accuracy right after the removal
   * @param tuned accuracy after fine-tuning; {@code cut} where there is none
   */
  public record Step(
      Network network,
      Importance importance,
      Removal removal,
      Removal dead,
      Evaluation cut,
      Evaluation tuned,
      List<EpochMetrics> epochs) {}

  /**
   * Scores, selects, removes, recalibrates, evaluates, fine-tunes and evaluates once.
   *
   * @param original the network that the first step began with: ratios of layers refer to it
   * @param net stays as it is, and open
   * @param number of the step, from 1 on: fine-tuning's seed is the recipe's plus this
   * @param selector chooses what goes
   * @param known the scores where they have been computed already
   * @throws dev.secateur.SecateurException when nothing can be removed or the data does not fit
   */
  public Step step(
      Graph original, Network net, int number, Selector selector, Optional<Scores> known) {
    return tuned(original, cut(original, net, selector, known), number, net);
  }

  /** A step that removes what was chosen before a sparse training, and nothing else. */
  public Step step(Graph original, Network net, int number, Chosen chosen) {
    return tuned(original, cut(net, chosen), number, net);
  }

  private Step tuned(Graph original, Cut cut, int number, Network from) {
    boolean last =
        number >= recipe.stop().iterations().orElseThrow()
            || recipe.stop().reached(original, cut.network().graph());
    return tune(cut, number, last, teacher.orElse(from), progress, Checkpoints.none());
  }

  /** The first half of a step: scores, selects, removes, recalibrates and evaluates. */
  public Cut cut(Graph original, Network net, Selector selector, Optional<Scores> known) {
    Scores scores = known.orElseGet(() -> score(net));
    return alive(
        net,
        scores.dead(),
        alive -> {
          Removal ranked = select(original, alive, selector, scores);
          return measured(Surgery.remove(alive, ranked), chosen(net, scores, ranked));
        });
  }

  /** The same where what goes was chosen earlier: with dead filters goes what they put out. */
  public Cut cut(Network net, Chosen chosen) {
    return measured(Surgery.remove(net, chosen.removal()), chosen);
  }

  private Cut measured(Network smaller, Chosen gone) {
    try {
      recalibrate(smaller);
      return new Cut(smaller, gone.importance, gone.removal, gone.dead, evaluate(smaller));
    } catch (RuntimeException e) {
      throw Cleanup.after(e, smaller);
    }
  }

  /**
   * What {@link #cut} would remove now; the network stays as it is.
   *
   * @param original the network that the first step began with: ratios of layers refer to it
   */
  public Chosen choose(Graph original, Network net, Selector selector) {
    Scores scores = score(net);
    return alive(
        net,
        scores.dead(),
        alive -> chosen(net, scores, select(original, alive, selector, scores)));
  }

  private static Chosen chosen(Network net, Scores scores, Removal ranked) {
    Removal dead = scores.dead().removal();
    return new Chosen(scores.importance(), dead.then(ranked, net.graph()), dead);
  }

  private Removal select(Graph original, Network alive, Selector selector, Scores scores) {
    Importance importance = scores.dead().removal().restrict(scores.importance());
    return selector.select(original, alive, recipe.groups(alive.graph()), importance);
  }

  /** Does something with a network without its dead filters: itself where it has none. */
  private static <R> R alive(Network net, DeadFilters dead, Function<Network, R> use) {
    if (dead.removal().isEmpty()) {
      return use.apply(net);
    }
    try (Network alive = dead.removedFrom(net)) {
      return use.apply(alive);
    }
  }

  /** Sets the running statistics of batch norms anew, where the recipe says so. */
  public void recalibrate(Network net) {
    int most = recipe.fineTuning().bnRecalibration();
    if (most > 0) {
      Recalibration.run(net, images.tuning(), most, recipe.scoring().batchSize());
    }
  }

  /**
   * The second half of a step: fine-tunes and evaluates.
   *
   * @param cut its network is trained in place, and closed after a failure
   * @param last whether no other removal follows
   * @param from the network as it came, which teaches where the recipe distils
   * @param checkpoints where the state of the fine-tuning survives
   */
  public Step tune(
      Cut cut,
      int number,
      boolean last,
      Network from,
      ProgressListener told,
      Checkpoints checkpoints) {
    try {
      TrainingContext context =
          new TrainingContext(told, checkpoints, Optional.of(images.heldOut()), Optional.of(from));
      List<EpochMetrics> epochs = fineTune(cut.network(), number, last, context);
      Evaluation tuned = epochs.isEmpty() ? cut.evaluation() : evaluate(cut.network());
      return new Step(
          cut.network(),
          cut.importance(),
          cut.removal(),
          cut.dead(),
          cut.evaluation(),
          tuned,
          epochs);
    } catch (RuntimeException e) {
      throw Cleanup.after(e, cut.network());
    }
  }

  /** One step by the recipe alone, the first. */
  public Step step(Network net) {
    return step(net.graph(), net, 1, new RatioSelector(recipe), Optional.empty());
  }

  /**
   * How much each prunable filter matters, and which are dead where the recipe takes those first.
   */
  public Scores score(Network net) {
    ScoringData data = data(images.scoring(), images.scoring().size());
    DeadFilters dead =
        recipe.choice().deadFilters() == DeadFilters.Rule.FIRST
            ? DeadFilters.find(
                net,
                recipe.groups(net.graph()),
                images.none() ? Optional.empty() : Optional.of(data))
            : DeadFilters.none(net.graph());
    Importance ranked = alive(net, dead, n -> importance(n, data));
    return new Scores(dead.removal().extend(ranked), dead);
  }

  private Importance importance(Network net, ScoringData data) {
    Importance all = Importance.of(criterion, net, recipe.scored(net.graph()), data);
    return recipe
        .blocks(net.graph())
        .importance(
            all,
            recipe.groups(net.graph()).layers(),
            criterion.scoresSums(),
            recipe.choice().groupReduction());
  }

  /**
   * Images that evaluate, in a plane that images that score span, where the criterion knows one.
   */
  public Optional<ProjectedImages> project(Network net) {
    return criterion.project(
        net,
        recipe.scored(net.graph()),
        data(images.scoring(), PROJECTION_FIT),
        data(images.evaluation(), PROJECTED));
  }

  private ScoringData data(Dataset of, int most) {
    return new ScoringData(
        of,
        Math.min(most, of.size()),
        recipe.scoring().batchSize(),
        recipe.scoring().pooling(),
        progress);
  }

  /** Accuracy and loss on the images that evaluate. */
  public Evaluation evaluate(Network net) {
    return images.none()
        ? Evaluation.NONE
        : Evaluator.evaluate(
            net, teacher, images.evaluation(), recipe.scoring().batchSize(), progress);
  }

  /** Trains in place; nothing where the recipe has no fine-tuning. */
  public List<EpochMetrics> fineTune(Network net, int number) {
    Optional<Dataset> heldOut = Optional.of(images.heldOut());
    boolean last = number >= recipe.stop().iterations().orElseThrow();
    return fineTune(
        net, number, last, new TrainingContext(progress, Checkpoints.none(), heldOut, teacher));
  }

  private List<EpochMetrics> fineTune(
      Network net, int number, boolean last, TrainingContext around) {
    Recipe.FineTuning tuning = recipe.fineTuning();
    if (tuning.epochs(last) == 0) {
      return List.of();
    }
    int of = recipe.stop().iterations().orElseThrow();
    return train(net, tuning.options(recipe.seed() + number, number, of, last), last, around);
  }

  /**
   * The recipe's sparse training, in place, before the first removal; nothing where it has none.
   *
   * @param chosen with growing regularisation what {@link #choose} gave; else unused
   * @param from the network as it came, which teaches where the recipe distils
   * @param checkpoints where the state of the training survives
   */
  public List<EpochMetrics> trainSparse(
      Network net,
      Optional<Chosen> chosen,
      Network from,
      ProgressListener told,
      Checkpoints checkpoints) {
    Recipe.SparseTraining sparse = recipe.sparseTraining();
    if (sparse.none()) {
      return List.of();
    }
    Removal filters =
        sparse.kind() == Recipe.SparseTraining.Kind.GROWING
            ? chosen.orElseThrow().removal()
            : recipe.groups(net.graph()).all();
    TrainingContext context =
        new TrainingContext(told, checkpoints, Optional.of(images.heldOut()), Optional.of(from));
    TrainingOptions options =
        recipe
            .fineTuning()
            .options(recipe.seed(), sparse.epochs())
            .with(SparsePenalty.of(sparse, net.graph(), filters));
    return train(net, options, false, context);
  }

  private List<EpochMetrics> train(
      Network net, TrainingOptions options, boolean last, TrainingContext around) {
    List<EpochMetrics> epochs = Trainer.train(net, images.tuning(), options, around);
    if (!last && options.schedule().at(options.epochs()) > 0) {
      recalibrate(net); // running statistics lag behind weights that move to the end
    }
    return epochs;
  }
}
