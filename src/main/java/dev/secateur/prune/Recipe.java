package dev.secateur.prune;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.device.PoolSpec;
import dev.secateur.nn.Graph;
import dev.secateur.nn.Learning;
import dev.secateur.nn.Pooling;
import dev.secateur.prune.criterion.Criteria;
import dev.secateur.prune.criterion.Criterion;
import dev.secateur.prune.criterion.Importance;
import dev.secateur.prune.criterion.PlsSettings;
import dev.secateur.train.Augmentation;
import dev.secateur.train.Schedule;
import dev.secateur.train.TrainingOptions;
import dev.secateur.util.Json;
import dev.secateur.util.Words;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * How a network is pruned: what scores its filters, which may go, when it ends, and how it is
 * trained before and after. All defaults are in {@link #DEFAULT}. A recipe is written as YAML or
 * JSON with names in kebab-case ({@code fine-tuning.weight-decay}); what a file leaves out is as in
 * the recipe that it is laid over. Values are checked when a recipe is made, wherever they come
 * from.
 *
 * @param holdOut part of the training images that decides, unseen by scoring and fine-tuning
 * @param seed of the hold-out, of random scores and, plus the iteration, of fine-tuning
 */
public record Recipe(
    Scoring scoring,
    Choice choice,
    Stop stop,
    SparseTraining sparseTraining,
    FineTuning fineTuning,
    double holdOut,
    long seed) {

  /** Where nothing else is said. */
  public static final Recipe DEFAULT =
      new Recipe(
          new Scoring(
              Criteria.names().get(0),
              2,
              PlsSettings.Columns.PRUNABLE,
              Pool.AVG,
              Pooling.Place.ACTIVATION,
              PlsSettings.Scale.NONE,
              PlsSettings.Weighting.OUTGOING,
              PlsSettings.Projections.ONE,
              Samples.ALL,
              128),
          new Choice(
              Scope.PAPER,
              DeadFilters.Rule.FIRST,
              Ranking.GLOBAL,
              Threshold.COUNT,
              GroupReduction.MEAN,
              Optional.empty(),
              1,
              List.of(),
              List.of(),
              Map.of(),
              Map.of()),
          new Stop(
              Optional.empty(),
              Optional.empty(),
              Optional.empty(),
              Optional.empty(),
              Optional.empty(),
              Optional.empty(),
              1),
          new SparseTraining(SparseTraining.Kind.NONE, Optional.empty(), 5),
          new FineTuning(
              1,
              Samples.ALL,
              128,
              0.01,
              0.9,
              false,
              1e-4,
              false,
              0,
              Schedule.Kind.COSINE,
              List.of(),
              0.1,
              0,
              0,
              ScheduleSpan.ITERATION,
              4,
              true,
              Optimizer.SGD,
              List.of(0.9, 0.999),
              1e-8,
              0,
              0.9,
              2048,
              0,
              Kept.LAST,
              1,
              0,
              0,
              0,
              0),
          0.1,
          1);

  /** Part of the filters that goes in an iteration where no ratio is given. */
  private static final double USUAL_RATIO = 0.1;

  /** Iterations of a run that something else ends. */
  private static final int WITHOUT_LIMIT = 1000;

  private static final List<String> NAMES = List.of("default", "paper");

  public Recipe {
    require(holdOut > 0 && holdOut < 1, "hold-out", holdOut, Expected.OPEN_FRACTION);
    boolean open = stop.aims() || stop.maxDrop.isPresent();
    if (fineTuning.scheduleSpan == ScheduleSpan.RUN && stop.iterations.isEmpty() && open) {
      throw new SettingException(
          "fine-tuning.schedule-span", "run: how many iterations there will be must be given");
    }
  }

  /**
   * What a filter matters.
   *
   * @param criterion one of {@link Criteria#names} or a product of them
   * @param components of PLS
   * @param columns whose outputs PLS sees
   * @param pool how a channel (N,H,W) becomes one number an image
   * @param features where a filter's output is taken
   * @param scale of PLS' columns
   * @param weighting of PLS' columns
   * @param projections of PLS
   * @param samples training images to score on
   * @param batchSize images at once, for evaluation too
   */
  public record Scoring(
      String criterion,
      int components,
      PlsSettings.Columns columns,
      Pool pool,
      Pooling.Place features,
      PlsSettings.Scale scale,
      PlsSettings.Weighting weighting,
      PlsSettings.Projections projections,
      Samples samples,
      int batchSize) {
    public Scoring {
      require(Criteria.known(criterion), "criterion", criterion, Criteria.EXPECTED);
      require(components > 0, "components", components, Expected.COUNT);
      require(batchSize > 0, "batch-size", batchSize, Expected.COUNT);
    }

    /** Of PLS. */
    public PlsSettings pls() {
      return new PlsSettings(components, columns, scale, weighting, projections);
    }

    /** As the device does it. */
    public Pooling pooling() {
      return new Pooling(pool == Pool.MAX ? PoolSpec.Kind.MAX : PoolSpec.Kind.AVERAGE, features);
    }
  }

  /** Global pooling. */
  public enum Pool {
    MAX,
    AVG;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * Which filters go.
   *
   * @param deadFilters what becomes of filters that the network can do without
   * @param ranking which filters are compared with each other
   * @param threshold what the pruning ratio means
   * @param groupReduction how the importance of filters that go together becomes one
   * @param pruningRatio part of the remaining prunable filters that goes in each iteration (with a
   *     latency to reach: part of the time that is saved); empty: 0.1, or as much as reaches the
   *     targets where there are some and one iteration
   * @param roundTo what the filters left in a layer that loses any are a multiple of
   * @param keep patterns of layers that lose nothing
   * @param exclude the first or last convolution stays as it is
   * @param minPruningRatio part of its original filters that a layer is to lose, by pattern: such
   *     layers lose theirs first; the last pattern that fits counts
   * @param maxPruningRatio part of its original filters that a layer may lose, likewise
   */
  @JsonInclude(JsonInclude.Include.NON_ABSENT)
  public record Choice(
      Scope scope,
      DeadFilters.Rule deadFilters,
      Ranking ranking,
      Threshold threshold,
      GroupReduction groupReduction,
      Optional<Double> pruningRatio,
      int roundTo,
      List<String> keep,
      List<End> exclude,
      Map<String, Double> minPruningRatio,
      Map<String, Double> maxPruningRatio) {
    public Choice {
      keep = List.copyOf(keep);
      exclude = List.copyOf(exclude);
      pruningRatio.ifPresent(
          r -> require(r > 0 && r < 1, "pruning-ratio", r, Expected.OPEN_FRACTION));
      require(roundTo > 0, "round-to", roundTo, Expected.COUNT);
      require(
          threshold == Threshold.COUNT || !scope.blocks(),
          "threshold",
          threshold,
          "count where blocks may go");
      minPruningRatio = ratios("min-pruning-ratio", minPruningRatio);
      maxPruningRatio = ratios("max-pruning-ratio", maxPruningRatio);
    }

    /** Those for all layers before those for some. */
    private static Map<String, Double> ratios(String name, Map<String, Double> given) {
      Map<String, Double> out = new LinkedHashMap<>();
      if (given.containsKey("*")) {
        out.put("*", given.get("*"));
      }
      out.putAll(given);
      out.values()
          .forEach(r -> require(r != null && r >= 0 && r <= 1, name, r, "a number from 0 to 1"));
      return Collections.unmodifiableMap(out);
    }

    /** What every selection in a network respects. */
    public Constraints constraints(Graph graph) {
      return new Constraints(roundTo, kept(graph), minPruningRatio, maxPruningRatio);
    }

    /** One number a group: those of lower ones go first. */
    public double[] order(ChannelGroups groups, Importance importance) {
      return ranking.order(groups, groups.importance(importance, groupReduction));
    }

    private List<String> kept(Graph graph) {
      List<String> filters = ChannelGroups.convolutions(graph);
      List<String> out = new ArrayList<>(keep);
      if (!filters.isEmpty()) {
        exclude.forEach(e -> out.add(filters.get(e == End.FIRST ? 0 : filters.size() - 1)));
      }
      return out;
    }
  }

  /** A convolution by its place in the graph. */
  public enum End {
    FIRST,
    LAST;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * When a run ends: at the first rule that holds.
   *
   * @param iterations at most so many; empty: one, or no limit where another rule is given
   * @param macs at most so many; with {@code params} and {@code size}, once all are reached
   * @param params likewise of parameters
   * @param size likewise of the parameters' bytes
   * @param maxDrop points of held-out top-1 that may be lost; the last iteration that loses no more
   *     is the result
   * @param latency of inference, measured on the device
   * @param latencyBatch images at once for it
   */
  @JsonInclude(JsonInclude.Include.NON_ABSENT)
  public record Stop(
      Optional<Integer> iterations,
      Optional<Amount> macs,
      Optional<Amount> params,
      Optional<Amount> size,
      Optional<Double> maxDrop,
      Optional<Latency> latency,
      int latencyBatch) {
    public Stop {
      iterations.ifPresent(i -> require(i > 0, "iterations", i, Expected.COUNT));
      maxDrop.ifPresent(d -> require(d >= 0, "max-drop", d, Expected.NOT_NEGATIVE));
      require(latencyBatch > 0, "latency-batch", latencyBatch, Expected.COUNT);
      if (latency.isPresent() && (macs.isPresent() || params.isPresent() || size.isPresent())) {
        throw new SettingException(
            "latency", "and a target of MACs, parameters or bytes: only one of them at a time");
      }
    }

    /** Sizes to come down to. */
    public List<Target> targets() {
      List<Target> out = new ArrayList<>();
      macs.ifPresent(v -> out.add(new Target(Target.Kind.MACS, v.value())));
      params.ifPresent(v -> out.add(new Target(Target.Kind.PARAMS, v.value())));
      size.ifPresent(v -> out.add(new Target(Target.Kind.SIZE, v.value())));
      return out;
    }

    /** Whether there are sizes to come down to, and a network has. */
    public boolean reached(Graph original, Graph now) {
      List<Target> targets = targets();
      return !targets.isEmpty() && Target.reached(targets, original, now);
    }

    private boolean aims() {
      return latency.isPresent() || !targets().isEmpty();
    }
  }

  /**
   * Training before the first removal that makes filters small, as fine-tuning trains otherwise,
   * with its own course of the learning rate.
   *
   * @param strength empty: the source's, see {@link Kind}
   * @param epochs passes over the images
   */
  @JsonInclude(JsonInclude.Include.NON_ABSENT)
  public record SparseTraining(Kind kind, Optional<Double> strength, int epochs) {

    /** What is added to the loss, and from where. */
    public enum Kind {
      /** There is no such training. */
      NONE,

      /**
       * The sum of the absolute scales of batch norms behind prunable filters; Liu et al., Learning
       * Efficient Convolutional Networks through Network Slimming, ICCV 2017, with its strength.
       */
      @JsonProperty("bn-scale")
      BN_SCALE,

      /**
       * The sum of the norms of prunable filters; Wen et al., Learning Structured Sparsity in Deep
       * Neural Networks, NeurIPS 2016, its filter-wise part. It is in the loss' own units, so its
       * strength is of the size of a usual weight decay.
       */
      @JsonProperty("group-lasso")
      GROUP_LASSO,

      /**
       * Half of the squares of the filters that would be removed now, and of their batch norm's
       * scale, with a strength that grows linearly from 0; these are then removed. Wang et al.,
       * Neural Pruning via Growing Regularization, ICLR 2021, GReg-1, which adds 1e-4 every few
       * steps until it is 1: the strength at the end.
       */
      GROWING;

      private double usualStrength() {
        return this == GROWING ? 1 : 1e-4;
      }

      /** As it is written, in lower case. */
      @Override
      public String toString() {
        return Words.kebab(this);
      }
    }

    public SparseTraining {
      strength.ifPresent(
          s -> require(s > 0 && Double.isFinite(s), "strength", s, Expected.POSITIVE));
      require(epochs > 0, "epochs", epochs, Expected.COUNT);
    }

    /** Whether there is no such training. */
    public boolean none() {
      return kind == Kind.NONE;
    }
  }

  /**
   * Training after each removal.
   *
   * @param epochs passes over the images; 0 for no fine-tuning
   * @param samples training images
   * @param batchSize images a step; a last incomplete batch is left out
   * @param lr highest learning rate
   * @param weightDecay of the weights of convolutions and linear layers
   * @param decayNorms of the parameters of norms and of biases too
   * @param milestones of the step schedule, in epochs; empty: 1/2 and 3/4 of all
   * @param gamma what the step schedule multiplies the rate by
   * @param warmupEpochs of linear rise
   * @param cropPadding zero pixels around the image before a random crop
   * @param flip mirror half of the images
   * @param recoveryEpochs epochs more after the last removal: with one epoch a removal and a
   *     schedule over the whole run, gradual pruning within one training
   * @param scheduleSpan whether each iteration has the whole course of the learning rate, or all
   *     together
   * @param betas of AdamW
   * @param eps of AdamW
   * @param distill temperature at which the network as it came is imitated; 0: it is not
   * @param distillWeight part that the imitation has in the loss
   * @param bnRecalibration training images that the statistics of batch norms are taken from anew
   *     after a removal, and after a fine-tuning that another removal follows if its learning rate
   *     does not end at 0; 0: they stay
   * @param ema what a moving average of the parameters keeps of itself a step; 0: none
   * @param keep which epoch's network is the result, by held-out images
   * @param evaluateEvery epochs between evaluations on them
   * @param mixup alpha; 0: images are not blended
   * @param cutmix alpha; 0: images have no boxes of others
   * @param randomErasing probability that a box of an image is erased
   * @param randomResizedCrop the smallest part of an image's area that is cut out at random and
   *     resized, as torchvision does; 0: images are resized whole
   */
  public record FineTuning(
      int epochs,
      Samples samples,
      int batchSize,
      double lr,
      double momentum,
      boolean nesterov,
      double weightDecay,
      boolean decayNorms,
      double labelSmoothing,
      Schedule.Kind schedule,
      List<Double> milestones,
      double gamma,
      double warmupEpochs,
      int recoveryEpochs,
      ScheduleSpan scheduleSpan,
      int cropPadding,
      boolean flip,
      Optimizer optimizer,
      List<Double> betas,
      double eps,
      double distill,
      double distillWeight,
      int bnRecalibration,
      double ema,
      Kept keep,
      int evaluateEvery,
      double mixup,
      double cutmix,
      double randomErasing,
      double randomResizedCrop) {
    public FineTuning {
      require(epochs >= 0, "epochs", epochs, Expected.COUNT_OR_ZERO);
      require(batchSize > 0, "batch-size", batchSize, Expected.COUNT);
      require(lr > 0 && Double.isFinite(lr), "lr", lr, Expected.POSITIVE);
      require(momentum >= 0 && momentum < 1, "momentum", momentum, Expected.FRACTION);
      require(
          weightDecay >= 0 && Double.isFinite(weightDecay),
          "weight-decay",
          weightDecay,
          Expected.NOT_NEGATIVE);
      require(
          labelSmoothing >= 0 && labelSmoothing < 1,
          "label-smoothing",
          labelSmoothing,
          Expected.FRACTION);
      milestones = List.copyOf(milestones);
      milestones.forEach(m -> require(m > 0, "milestones", m, Expected.POSITIVE));
      require(gamma > 0 && Double.isFinite(gamma), "gamma", gamma, Expected.POSITIVE);
      require(
          warmupEpochs >= 0 && Double.isFinite(warmupEpochs),
          "warmup-epochs",
          warmupEpochs,
          Expected.NOT_NEGATIVE);
      require(recoveryEpochs >= 0, "recovery-epochs", recoveryEpochs, Expected.COUNT_OR_ZERO);
      require(cropPadding >= 0, "crop-padding", cropPadding, Expected.COUNT_OR_ZERO);
      betas = List.copyOf(betas);
      require(
          betas.size() == 2 && betas.stream().allMatch(b -> b >= 0 && b < 1),
          "betas",
          betas,
          "two numbers from 0 up to, but not including, 1");
      require(eps > 0 && Double.isFinite(eps), "eps", eps, Expected.POSITIVE);
      require(distill >= 0 && Double.isFinite(distill), "distill", distill, Expected.NOT_NEGATIVE);
      require(
          distillWeight >= 0 && distillWeight <= 1,
          "distill-weight",
          distillWeight,
          "a number from 0 to 1");
      require(bnRecalibration >= 0, "bn-recalibration", bnRecalibration, Expected.COUNT_OR_ZERO);
      require(ema >= 0 && ema < 1, "ema", ema, Expected.FRACTION);
      require(mixup >= 0 && Double.isFinite(mixup), "mixup", mixup, Expected.NOT_NEGATIVE);
      require(cutmix >= 0 && Double.isFinite(cutmix), "cutmix", cutmix, Expected.NOT_NEGATIVE);
      require(
          randomErasing >= 0 && randomErasing <= 1,
          "random-erasing",
          randomErasing,
          "a number from 0 to 1");
      require(
          randomResizedCrop >= 0 && randomResizedCrop <= 1,
          "random-resized-crop",
          randomResizedCrop,
          "a number from 0 to 1");
      require(evaluateEvery > 0, "evaluate-every", evaluateEvery, Expected.COUNT);
    }

    /** As the trainer takes it, for one training; not for 0 epochs. */
    public TrainingOptions options(long seed) {
      return options(seed, 1, 1, false);
    }

    /** Whether nothing is trained at all. */
    public boolean none() {
      return epochs + recoveryEpochs == 0;
    }

    /** Epochs of one training. */
    int epochs(boolean last) {
      return last ? epochs + recoveryEpochs : epochs;
    }

    /**
     * The same for one of several.
     *
     * @param number of the training, from 1 on
     * @param of all trainings
     * @param last whether there is no other removal
     */
    public TrainingOptions options(long seed, int number, int of, boolean last) {
      boolean together = scheduleSpan == ScheduleSpan.RUN;
      int length = together ? Math.multiplyExact(of, epochs) + recoveryEpochs : epochs(last);
      int passed = together ? (number - 1) * epochs : 0;
      return options(seed, epochs(last), length, passed, keep == Kept.BEST);
    }

    /**
     * The same for a training of its own length, whose last epoch is the result: the best by
     * held-out images would be one of little effect.
     */
    TrainingOptions options(long seed, int length) {
      return options(seed, length, length, 0, false);
    }

    private TrainingOptions options(long seed, int now, int length, int passed, boolean keepBest) {
      Schedule usual = Schedule.of(schedule, lr, length, warmupEpochs);
      double[] at =
          milestones.isEmpty()
              ? usual.milestones()
              : milestones.stream().mapToDouble(d -> d).toArray();
      return new TrainingOptions(
          batchSize,
          now,
          new Schedule(schedule, lr, length, warmupEpochs, at, gamma, passed),
          learning(),
          new Augmentation(cropPadding, flip, mixup, cutmix, randomErasing, randomResizedCrop),
          evaluateEvery,
          keepBest,
          seed);
    }

    private Learning learning() {
      return new Learning(
          optimizer == Optimizer.SGD
              ? new Learning.Sgd((float) momentum, nesterov)
              : new Learning.AdamW(
                  betas.get(0).floatValue(), betas.get(1).floatValue(), (float) eps),
          (float) weightDecay,
          decayNorms,
          (float) labelSmoothing,
          distill > 0
              ? Optional.of(new Learning.Distillation((float) distill, (float) distillWeight))
              : Optional.empty(),
          (float) ema,
          Optional.empty());
    }
  }

  /** What moves parameters. */
  public enum Optimizer {
    SGD,
    ADAMW;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Which epoch's network is the result of a training. */
  public enum Kept {
    LAST,
    BEST;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What one course of the learning rate covers. */
  public enum ScheduleSpan {
    ITERATION,
    RUN;

    /** As it is written, in lower case. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  // ---- values ----------------------------------------------------------------------------------

  /** So many training images at most; written as a number or {@code all}. */
  public record Samples(int most) {
    public static final Samples ALL = new Samples(Integer.MAX_VALUE);

    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    static Samples of(Object given) {
      String text = String.valueOf(given);
      int most = text.equals("all") ? ALL.most : whole(text);
      require(most > 0, "", given, "a whole number of at least 1, or all");
      return new Samples(most);
    }

    private static int whole(String text) {
      return text.matches("\\d{1,9}") ? Integer.parseInt(text) : 0;
    }

    @JsonValue
    public Object written() {
      return most == ALL.most ? "all" : most;
    }
  }

  /**
   * A size: below 1 a part of the original's, else an amount; written as a number, or with k, M or
   * G behind it for thousands and so on.
   */
  public record Amount(double value) {
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    static Amount of(Object given) {
      String text = String.valueOf(given);
      int power = text.isEmpty() ? 0 : "kMG".indexOf(text.charAt(text.length() - 1)) + 1;
      double n = number(power == 0 ? text : text.substring(0, text.length() - 1));
      require(
          n > 0 && Double.isFinite(n),
          "",
          given,
          "a part such as 0.5, or an amount such as 500k, 2M or 1.5G");
      return new Amount(n * Math.pow(1000, power));
    }

    @JsonValue
    public double written() {
      return value;
    }
  }

  /** A time of inference: a part of the original's, or {@code 0.8ms}. */
  public record Latency(double value, boolean milliseconds) {
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    static Latency of(Object given) {
      String text = String.valueOf(given);
      boolean ms = text.endsWith("ms");
      double v = number(ms ? text.substring(0, text.length() - 2) : text);
      require(
          v > 0 && v < (ms ? Double.POSITIVE_INFINITY : 1),
          "",
          given,
          "a part of the original's time between 0 and 1, or milliseconds such as 0.8ms");
      return new Latency(v, ms);
    }

    @JsonValue
    public Object written() {
      return milliseconds ? value + "ms" : (Object) value;
    }
  }

  private static double number(String text) {
    try {
      return Double.parseDouble(text);
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  /** What a setting takes, in the words of every message. */
  private static final class Expected {
    static final String COUNT = "a whole number of at least 1";
    static final String COUNT_OR_ZERO = "a whole number of at least 0";
    static final String OPEN_FRACTION = "a number greater than 0 and less than 1";
    static final String FRACTION = "a number from 0 up to, but not including, 1";
    static final String POSITIVE = "a number greater than 0";
    static final String NOT_NEGATIVE = "a number of at least 0";
  }

  private static void require(boolean holds, String setting, Object given, String expected) {
    if (!holds) {
      throw new SettingException(setting, "'" + given + "': expected " + expected);
    }
  }

  // ---- reading and writing ---------------------------------------------------------------------

  /** Those that ship. */
  public static List<String> names() {
    return NAMES;
  }

  /**
   * A recipe that ships.
   *
   * @throws SettingException for a name that is none of {@link #names}
   */
  public static Recipe named(String name) {
    require(NAMES.contains(name), "recipe", name, "one of " + String.join(", ", NAMES));
    if (name.equals("default")) {
      return DEFAULT;
    }
    try (InputStream in = Recipe.class.getResourceAsStream("recipe-" + name + ".yaml")) {
      return DEFAULT.overlaid(Json.yaml().readTree(in));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * This recipe with what a YAML or JSON file says in its place.
   *
   * @throws SecateurException naming the file, the setting and what was expected
   */
  public Recipe overlaid(Path file) throws IOException {
    try {
      return overlaid(Json.yaml().readTree(Files.readAllBytes(file)));
    } catch (JsonProcessingException e) {
      throw new SecateurException(file + ": " + Json.told(e), e);
    } catch (SettingException e) {
      throw new SecateurException(file + ": " + e.getMessage());
    }
  }

  /**
   * This recipe with some settings in the place of its own.
   *
   * @param settings an object of the form that {@link #tree} has, any part of it
   * @throws SettingException for an unknown setting or a value that cannot be
   */
  public Recipe overlaid(JsonNode settings) {
    if (settings.isMissingNode() || settings.isNull()) {
      return this;
    }
    ObjectNode tree = tree();
    if (!settings.isObject()) {
      throw new SettingException("recipe", "'" + settings + "': expected settings by name");
    }
    requireValues("", settings);
    settings
        .fields()
        .forEachRemaining(
            e -> {
              boolean section = tree.path(e.getKey()).isObject() && e.getValue().isObject();
              if (section) {
                ((ObjectNode) tree.get(e.getKey())).setAll((ObjectNode) e.getValue());
              } else {
                tree.set(e.getKey(), e.getValue());
              }
            });
    return of(tree);
  }

  private static void requireValues(String path, JsonNode settings) {
    settings
        .fields()
        .forEachRemaining(
            e -> {
              JsonNode v = e.getValue();
              boolean empty = v.isNull();
              for (JsonNode entry : v) {
                empty |= v.isArray() && entry.isNull();
              }
              if (empty) {
                throw new SettingException(
                    path + e.getKey(), "is empty: give it a value or leave it out");
              }
              requireValues(path + e.getKey() + ".", v);
            });
  }

  /**
   * This recipe with one setting changed, such as {@code with("choice.pruning-ratio", 0.2)}.
   *
   * @param value a number, a boolean, a text, or a list or map of them
   * @throws SettingException for an unknown setting or a value that cannot be
   */
  public Recipe with(String setting, Object value) {
    ObjectNode overlay = Json.SETTINGS.createObjectNode();
    put(overlay, setting, value);
    return overlaid(overlay);
  }

  /** Adds one setting to an overlay, by its path. */
  public static void put(ObjectNode overlay, String setting, Object value) {
    String[] path = setting.split("\\.");
    ObjectNode at = overlay;
    for (int i = 0; i < path.length - 1; i++) {
      at = at.get(path[i]) instanceof ObjectNode next ? next : at.putObject(path[i]);
    }
    at.set(path[path.length - 1], Json.SETTINGS.valueToTree(value));
  }

  /** As JSON, all settings. */
  public ObjectNode tree() {
    return Json.SETTINGS.valueToTree(this);
  }

  /** As YAML, which {@link #overlaid(Path)} reads. */
  public String yaml() {
    try {
      return Json.yaml().writeValueAsString(tree());
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Recipe of(ObjectNode tree) {
    try {
      return Json.SETTINGS.treeToValue(tree, Recipe.class);
    } catch (UnrecognizedPropertyException e) {
      String known =
          e.getKnownPropertyIds().stream()
              .map(String::valueOf)
              .sorted()
              .collect(Collectors.joining(", "));
      throw new SettingException(path(e, ""), "is no setting; expected one of " + known);
    } catch (JsonMappingException e) {
      if (e.getCause() instanceof SettingException s) {
        throw new SettingException(path(e, s.path()), s.problem());
      }
      String path = path(e, "");
      JsonNode at = tree.at("/" + path.replace('.', '/'));
      Object given =
          e instanceof InvalidFormatException f
              ? f.getValue()
              : at.isValueNode() ? at.asText() : at;
      throw new SettingException(path, "'" + given + "': expected " + expected(e));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String path(JsonMappingException e, String last) {
    String path =
        e.getPath().stream()
            .filter(r -> r.getFieldName() != null)
            .map(JsonMappingException.Reference::getFieldName)
            .collect(Collectors.joining("."));
    return path.isEmpty() || last.isEmpty() ? path + last : path + "." + last;
  }

  private static String expected(JsonMappingException e) {
    Class<?> type = e instanceof MismatchedInputException m ? m.getTargetType() : Object.class;
    if (type != null && type.isEnum()) {
      return Words.choices(type);
    }
    return type == int.class || type == Integer.class || type == long.class
        ? "a whole number"
        : type == double.class || type == Double.class
            ? "a number"
            : type == boolean.class
                ? "true or false"
                : type != null && Collection.class.isAssignableFrom(type)
                    ? "a list"
                    : type != null && Map.class.isAssignableFrom(type)
                        ? "a number by layer, such as {layer2.*: 0.5}"
                        : type == String.class ? "a text" : "settings by name";
  }

  // ---- what it means ---------------------------------------------------------------------------

  /** What is left open decided, as it runs. */
  public Recipe resolved() {
    boolean oneStep = stop.aims() && stop.iterations.equals(Optional.of(1));
    boolean limited = stop.aims() || stop.maxDrop.isPresent();
    ObjectNode overlay = Json.SETTINGS.createObjectNode();
    if (choice.pruningRatio.isEmpty() && !oneStep) {
      put(overlay, "choice.pruning-ratio", USUAL_RATIO);
    }
    put(overlay, "stop.iterations", stop.iterations.orElse(limited ? WITHOUT_LIMIT : 1));
    // what is of no effect makes no other run
    if (sparseTraining.none()) {
      overlay.set("sparse-training", DEFAULT.tree().get("sparse-training"));
    } else {
      double strength = sparseTraining.kind.usualStrength();
      put(overlay, "sparse-training.strength", sparseTraining.strength.orElse(strength));
    }
    if (fineTuning.none() && sparseTraining.none()) {
      overlay.set("fine-tuning", DEFAULT.tree().get("fine-tuning"));
      put(overlay, "fine-tuning.epochs", 0);
      put(overlay, "fine-tuning.bn-recalibration", fineTuning.bnRecalibration);
    }
    return overlaid(overlay);
  }

  /** The same for one network: layers by name where they are told by their place. */
  public Recipe resolved(Graph graph) {
    return choice.exclude.isEmpty()
        ? resolved()
        : resolved().with("choice.keep", choice.kept(graph)).with("choice.exclude", List.of());
  }

  /** What scores filters. */
  public Criterion criterion() {
    return Criteria.named(scoring.criterion, new Criteria.Settings(scoring.pls(), seed));
  }

  /** Channel groups of a network that may go. */
  public ChannelGroups groups(Graph graph) {
    return ChannelGroups.of(graph, choice.scope, choice.constraints(graph)::keeps);
  }

  /** Residual blocks of a network that may go. */
  public ResidualBlocks blocks(Graph graph) {
    return choice.scope.blocks()
        ? ResidualBlocks.of(graph, choice.constraints(graph)::keeps)
        : ResidualBlocks.of(graph, name -> true);
  }

  /** What the criterion scores of a network: layers with channel groups, and what tells blocks. */
  public List<String> scored(Graph graph) {
    Set<String> out = new LinkedHashSet<>(groups(graph).layers());
    out.addAll(blocks(graph).scored(criterion().scoresSums()));
    return List.copyOf(out);
  }

  /** Prunable filters of a network, and blocks that are. */
  public int prunable(Graph graph) {
    return groups(graph).filters() + blocks(graph).names().size();
  }
}
