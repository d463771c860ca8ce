package dev.secateur.train;

import dev.secateur.SecateurException;
import dev.secateur.SettingException;
import dev.secateur.data.Dataset;
import dev.secateur.device.Device;
import dev.secateur.nn.Network;
import dev.secateur.nn.Penalty;
import dev.secateur.nn.TrainingProgram;
import dev.secateur.tensor.HostTensor;
import dev.secateur.util.Cleanup;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Trains a network in place, from momentum zero, or from where its {@link Checkpoints} have it. The
 * result is the moving average where there is one, and the best epoch's where that is asked for.
 * Numbers come from the device only when they are reported, about once a second, and when a state
 * is kept.
 */
public final class Trainer {
  private static final long NANOS_BETWEEN_REPORTS = 1_000_000_000;

  private final TrainingOptions options;
  private final TrainingContext context;
  private final Device device;
  private final Network net;
  private final Optional<Network> average;
  private final Optional<Network> best;
  private final TrainingProgram program;
  private final BatchFeed feed;
  private final List<EpochMetrics> epochs = new ArrayList<>();
  private int epoch;

  /** Seconds that the epoch took in earlier starts. */
  private double before;

  /** When this start began with the epoch. */
  private long start;

  private Trainer(
      TrainingOptions options,
      TrainingContext context,
      Network net,
      Optional<Network> average,
      Optional<Network> best,
      TrainingProgram program,
      BatchFeed feed) {
    this.options = options;
    this.context = context;
    this.device = net.device();
    this.net = net;
    this.average = average;
    this.best = best;
    this.program = program;
    this.feed = feed;
  }

  /**
   * @return one entry an epoch
   * @throws Stopped when it was asked to stop; its state is kept
   * @throws SecateurException when images do not fit, have no classes and there is no teacher, are
   *     fewer than a batch, or the loss stops being a finite number
   */
  public static List<EpochMetrics> train(
      Network net, Dataset data, TrainingOptions options, TrainingContext context) {
    Evaluator.checkFits(net, data);
    check(net, data, options, context);
    if (data.size() < options.batch()) {
      throw new SettingException(
          "fine-tuning.batch-size",
          options.batch() + ": the data has only " + data.size() + " images");
    }
    Device device = net.device();
    net.clearMomentum();
    Optional<TrainingState> earlier = context.checkpoints().load();
    try (Cleanup copies = new Cleanup()) {
      Optional<Network> average = copy(net, options.learning().ema() > 0, copies);
      Optional<Network> best = copy(net, options.keepBest(), copies);
      List<EpochMetrics> epochs = train(net, data, options, context, earlier, average, best);
      best.or(() -> average).ifPresent(net::copyFrom);
      device.synchronize();
      return epochs;
    }
  }

  private static Optional<Network> copy(Network net, boolean wanted, Cleanup copies) {
    if (!wanted) {
      return Optional.empty();
    }
    Network copy = net.copy();
    copies.add(copy::close);
    return Optional.of(copy);
  }

  private static void check(
      Network net, Dataset data, TrainingOptions options, TrainingContext context) {
    options.augmentation().check(data);
    if (options.keepBest() && context.heldOut().isEmpty()) {
      throw new SettingException(
          "fine-tuning.keep", "best: no images are held out to compare epochs on");
    }
    boolean distils = options.learning().distillation().isPresent();
    boolean imitates = !data.labels().classes();
    if (distils && imitates) {
      throw new SettingException(
          "fine-tuning.distill",
          "expected 0: without classes the loss is how far the outputs are from the teacher's");
    }
    if (!distils && !imitates) {
      return;
    }
    String setting = distils ? "fine-tuning.distill" : "fine-tuning.epochs";
    Network teacher =
        context
            .teacher()
            .orElseThrow(
                () ->
                    new SettingException(
                        setting,
                        distils
                            ? "there is no teacher to learn of"
                            : options.epochs()
                                + ": images without classes are learned from by imitating another"
                                + " network, and there is none"));
    String difference = Evaluator.difference(teacher, net);
    if (!difference.isEmpty()) {
      throw new SettingException(setting, "the teacher cannot be imitated: " + difference);
    }
  }

  private static List<EpochMetrics> train(
      Network net,
      Dataset data,
      TrainingOptions options,
      TrainingContext context,
      Optional<TrainingState> earlier,
      Optional<Network> average,
      Optional<Network> best) {
    Device device = net.device();
    TrainingProgram.Companions with =
        new TrainingProgram.Companions(
            context.teacher(), average, options.augmentation().mixes(), !data.labels().classes());
    try (TrainingProgram program =
            TrainingProgram.compile(
                net, options.batch(), options.learning(), options.augmentation().padding(), with);
        BatchFeed feed =
            new BatchFeed(device, data, program.input(), options.augmentation(), options.seed())) {
      return new Trainer(options, context, net, average, best, program, feed).run(earlier);
    }
  }

  private List<EpochMetrics> run(Optional<TrainingState> earlier) {
    int done = 0;
    if (earlier.isPresent()) {
      restore(earlier.get());
      done = earlier.get().done();
    }
    int all = options.epochs();
    for (; epoch < all; epoch++) {
      feed.startEpoch(epoch, done);
      context.progress().epoch(epoch + 1, all, feed.images());
      if (done == 0) {
        program.clearMetrics();
        before = 0;
      }
      start = System.nanoTime();
      epochs.add(measured(train()));
      context.progress().finish();
      context.progress().epochDone(List.copyOf(epochs));
      done = 0;
    }
    return epochs;
  }

  /** An epoch with what it is worth on held-out images, where that is due. */
  private EpochMetrics measured(EpochMetrics m) {
    boolean due = m.epoch() % options.evaluateEvery() == 0 || m.epoch() == options.epochs();
    if (context.heldOut().isEmpty() || !due) {
      return m;
    }
    Network now = average.orElse(net);
    EpochMetrics with =
        m.with(
            Evaluator.evaluate(
                now,
                context.teacher(),
                context.heldOut().get(),
                options.batch(),
                ProgressListener.none()));
    List<EpochMetrics> all = new ArrayList<>(epochs);
    all.add(with);
    if (EpochMetrics.best(all).filter(b -> b == with).isPresent()) {
      best.ifPresent(b -> b.copyFrom(now));
    }
    return with;
  }

  /** The rest of an epoch. */
  private EpochMetrics train() {
    Optional<Penalty> penalty = options.learning().penalty();
    long reported = start;
    while (true) {
      double at = epoch + (double) feed.done() / feed.images();
      double rate = options.schedule().at(at);
      keep();
      if (feed.next() == 0) {
        Map<String, Double> v = values();
        double seconds = seconds();
        return new EpochMetrics(
            epoch + 1,
            v.get("loss"),
            v.get("accuracy"),
            rate,
            feed.images() / seconds,
            seconds,
            Optional.empty(),
            Optional.empty());
      }
      program.setLearningRate((float) rate);
      penalty.ifPresent(p -> program.setPenalty((float) p.at(at / options.epochs())));
      program.step();
      long now = System.nanoTime();
      boolean report = now - reported >= NANOS_BETWEEN_REPORTS;
      reported = report ? now : reported;
      context.progress().step(feed.done(), report ? values() : Map.of());
    }
  }

  /** Between two steps. */
  private void keep() {
    Checkpoints checkpoints = context.checkpoints();
    boolean stop = checkpoints.stopAsked();
    if (stop || checkpoints.due()) {
      checkpoints.save(
          new TrainingState(
              epoch,
              feed.done(),
              device.downloadDoubles(program.metrics()),
              seconds(),
              List.copyOf(epochs),
              tensors()));
    }
    if (stop) {
      throw new Stopped();
    }
  }

  private Map<String, HostTensor> tensors() {
    Map<String, HostTensor> out = program.state();
    average.ifPresent(a -> out.putAll(a.state("average")));
    best.ifPresent(b -> out.putAll(b.state("best")));
    return out;
  }

  private void restore(TrainingState state) {
    try {
      average.ifPresent(a -> a.restore("average", state.tensors()));
      best.ifPresent(b -> b.restore("best", state.tensors()));
      program.restore(state.tensors(), state.metrics());
    } catch (IllegalArgumentException e) {
      throw new SecateurException(
          "the state that was kept is of another network: " + e.getMessage(), e);
    }
    epoch = state.epoch();
    before = state.seconds();
    epochs.addAll(state.epochs());
  }

  private double seconds() {
    return before + (System.nanoTime() - start) / 1e9;
  }

  private Map<String, Double> values() {
    double[] m = device.downloadDoubles(program.metrics());
    if (!Double.isFinite(m[0])) {
      throw new SecateurException(
              "the loss is not a finite number in epoch "
                  + (epoch + 1)
                  + ": try a smaller learning rate")
          .about("fine-tuning.lr");
    }
    return Map.of("loss", m[0] / m[3], "accuracy", 100 * m[1] / m[3]);
  }
}
